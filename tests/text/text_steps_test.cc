#include "text/text_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/text_steps_json.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

using Steps = std::vector<TextStep>;

Steps pre_tokenizer(const nlohmann::json& json) {
  return pre_tokenizer_from_json(JsonCursor(json, "test.json", ExitCode::kModel));
}

Steps normalizer(const nlohmann::json& json) {
  return normalizer_from_json(JsonCursor(json, "test.json", ExitCode::kModel));
}

AlignedText applied(const Steps& steps, std::string_view text, size_t offset = 0) {
  Regex::Workspace workspace;
  AlignedText result(text, offset);
  TextSteps(steps, "test").apply(result, workspace);
  return result;
}

std::vector<std::string> words_of(const Steps& steps, std::string_view text, size_t offset = 0) {
  const AlignedText result = applied(steps, text, offset);
  std::vector<std::string> words;
  for (const TextRange& word : result.words) words.emplace_back(result.word(word));
  return words;
}

/// Where the words lie in the original text.
std::vector<size_t> boundaries_of(const Steps& steps, std::string_view text) {
  const AlignedText result = applied(steps, text);
  std::vector<size_t> boundaries;
  for (const TextRange& word : result.words) {
    boundaries.insert(boundaries.end(),
                      {result.origin[word.begin], result.origin[word.end - 1] + size_t{1}});
  }
  return boundaries;
}

TEST(TextSteps, CutAsThePreTokenizersOfTokenizersDo) {
  const auto golden = tokenizer_golden("pre_tokenizers.json");
  EXPECT_EQ(golden["pre_tokenizers"].size(), 13u);
  EXPECT_GE(golden["lines"].size(), 90u);
  for (const auto& kind : golden["pre_tokenizers"]) {
    const Steps steps = pre_tokenizer(kind["pre_tokenizer"]);
    for (size_t i = 0; i < golden["lines"].size(); ++i) {
      const auto text = golden["lines"][i].get<std::string>();
      EXPECT_EQ(boundaries_of(steps, text), kind["words"][i].get<std::vector<size_t>>())
          << kind["name"] << ": " << golden["lines"][i];
    }
  }
}

TEST(TextSteps, ChangeAsTokenizersDoes) {
  const auto golden = tokenizer_golden("text_steps.json");
  EXPECT_GE(golden["pre_tokenizers"].size(), 8u);
  for (const auto& kind : golden["pre_tokenizers"]) {
    const Steps steps = pre_tokenizer(kind["steps"]);
    for (size_t i = 0; i < golden["lines"].size(); ++i) {
      EXPECT_EQ(words_of(steps, golden["lines"][i].get<std::string>()),
                kind["words"][i].get<std::vector<std::string>>())
          << kind["steps"] << ": " << golden["lines"][i];
    }
  }
  EXPECT_GE(golden["normalizers"].size(), 5u);
  for (const auto& kind : golden["normalizers"]) {
    const Steps steps = normalizer(kind["steps"]);
    for (size_t i = 0; i < golden["lines"].size(); ++i) {
      EXPECT_EQ(applied(steps, golden["lines"][i].get<std::string>()).text,
                kind["texts"][i].get<std::string>())
          << kind["steps"] << ": " << golden["lines"][i];
    }
  }
}

TEST(TextSteps, WhatIsPutBeforeAWordComesFromItsFirstByte) {
  const auto steps = pre_tokenizer(
      {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}, {"split", true}});
  const AlignedText text = applied(steps, "a  b", 7);
  EXPECT_EQ(text.text, "▁a▁▁b");
  EXPECT_THAT(text.origin, testing::ElementsAre(7, 7, 7, 7, 8, 8, 8, 9, 9, 9, 10));
  EXPECT_THAT(text.words, testing::ElementsAre(TextRange{0, 4}, TextRange{4, 7}, TextRange{7, 11}));
}

TEST(TextSteps, ThePrependSchemeFirstKnowsWhereTheTextBegins) {
  const auto steps = pre_tokenizer(
      {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}});
  EXPECT_THAT(words_of(steps, "a b"), testing::ElementsAre("▁a▁b"));
  EXPECT_THAT(words_of(steps, "a b", 1), testing::ElementsAre("a▁b"));
  EXPECT_THAT(words_of(steps, " a"), testing::ElementsAre("▁a"));
}

TEST(TextSteps, OldFilesOfMetaspaceSayWhetherASpaceIsAdded) {
  const auto steps = [](bool adds) {
    return pre_tokenizer({{"type", "Metaspace"}, {"replacement", "_"}, {"add_prefix_space", adds}});
  };
  EXPECT_THAT(words_of(steps(true), "a b"), testing::ElementsAre("_a", "_b"));
  EXPECT_THAT(words_of(steps(false), "a b"), testing::ElementsAre("a", "_b"));
}

TEST(TextSteps, APrefixSpaceCoversNoByte) {
  const auto steps =
      pre_tokenizer({{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}});
  EXPECT_THAT(words_of(steps, "ab cd"), testing::ElementsAre("Ġab", "Ġcd"));
  EXPECT_THAT(words_of(steps, " ab"), testing::ElementsAre("Ġab"));
  EXPECT_THAT(words_of(steps, "\n"), testing::ElementsAre("ĠĊ"));  // one run of white space
  EXPECT_TRUE(words_of(steps, "").empty());
}

TEST(TextSteps, UseRegexIsTrueWhereItIsAbsent) {
  EXPECT_EQ(pre_tokenizer({{"type", "ByteLevel"}, {"add_prefix_space", false}})[0].pattern,
            kGpt2Pattern);
}

TEST(TextSteps, WhatIsNotSupportedIsRefusedByName) {
  const auto refused = [](const std::string& json, const std::string& part) {
    expect_input_error(ExitCode::kModel, part, [&] { pre_tokenizer(nlohmann::json::parse(json)); });
  };
  refused(R"({"type": "Whitespace"})", "pre-tokeniser \"Whitespace\" is not supported");
  refused(R"({"type": "Sequence", "pretokenizers": [{"type": "FixedLength"}]})",
          "pretokenizers[0].type: pre-tokeniser \"FixedLength\"");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Upward", "invert": false})",
          "behavior: \"Upward\" is not supported");
  refused(R"({"type": "Split", "pattern": {}, "behavior": "Isolated", "invert": false})", "Regex");
  refused(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})",
          "prepend_scheme: \"last\" is not supported");
  refused("[]", "expected an object");
  for (const char* name : {"Lowercase", "NFD", "NFKD", "BertNormalizer"}) {
    expect_input_error(
        ExitCode::kModel, "normalizer \"" + std::string(name) + "\" is not supported", [&] {
          normalizer({{"type", name}});
        });
  }
  expect_input_error(ExitCode::kModel, "precompiled_charsmap: expected base64", [&] {
    normalizer({{"type", "Precompiled"}, {"precompiled_charsmap", "AAA*"}});
  });
}

}  // namespace
}  // namespace prescript
