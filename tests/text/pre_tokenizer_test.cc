#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/pre_tokenizer_json.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

PreTokenizerDescription from_json(const nlohmann::json& json) {
  return pre_tokenizer_from_json(JsonCursor(json, "test.json", ExitCode::kModel));
}

PreTokenizerDescription from_text(const std::string& text) {
  return from_json(nlohmann::json::parse(text));
}

std::vector<Word> words_of(const PreTokenizerDescription& description, std::string_view text) {
  Regex::Workspace workspace;
  return PreTokenizer(description, "test").split(text, workspace);
}

std::vector<size_t> boundaries_of(const std::vector<Word>& words) {
  std::vector<size_t> boundaries;
  for (const Word& word : words) boundaries.insert(boundaries.end(), {word.begin, word.end});
  return boundaries;
}

TEST(PreTokenizer, CutsAsTokenizersDoes) {
  const auto golden = tokenizer_golden("pre_tokenizers.json");
  EXPECT_EQ(golden["pre_tokenizers"].size(), 13u);
  EXPECT_GE(golden["lines"].size(), 90u);
  for (const auto& kind : golden["pre_tokenizers"]) {
    const PreTokenizerDescription description = from_json(kind["pre_tokenizer"]);
    for (size_t i = 0; i < golden["lines"].size(); ++i) {
      const auto text = golden["lines"][i].get<std::string>();
      EXPECT_EQ(boundaries_of(words_of(description, text)),
                kind["words"][i].get<std::vector<size_t>>())
          << kind["name"] << ": " << golden["lines"][i];
    }
  }
}

TEST(PreTokenizer, ANameOfGgufStandsForTheModelsOwnPreTokenizer) {
  const auto golden = tokenizer_golden("pre_tokenizers.json");
  size_t num_known = 0;
  for (const auto& kind : golden["pre_tokenizers"]) {
    const auto named = pre_tokenizer_of_gguf(kind["name"].get<std::string>());
    if (!named) continue;
    ++num_known;
    EXPECT_EQ(named->description, from_json(kind["pre_tokenizer"])) << kind["name"];
  }
  EXPECT_EQ(num_known, 5u);
  EXPECT_FALSE(pre_tokenizer_of_gguf("tekken"));
  EXPECT_FALSE(pre_tokenizer_of_gguf(""));
  EXPECT_TRUE(pre_tokenizer_of_gguf("llama-bpe")->ignore_merges);
  EXPECT_FALSE(pre_tokenizer_of_gguf("smollm")->ignore_merges);
}

TEST(PreTokenizer, EveryNameInTheMessageIsKnown) {
  const std::string names = gguf_pre_tokenizer_names() + ", ";
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = names.find(", ", begin);
    EXPECT_TRUE(pre_tokenizer_of_gguf(names.substr(begin, end - begin))) << begin;
    begin = end + 2;
  }
}

TEST(PreTokenizer, APrefixSpaceCoversNoByte) {
  const auto description =
      from_text(R"({"type": "ByteLevel", "add_prefix_space": true, "use_regex": true})");
  EXPECT_THAT(words_of(description, "ab cd"),
              testing::ElementsAre(Word{0, 2, true}, Word{2, 5, false}));
  EXPECT_THAT(words_of(description, " ab"), testing::ElementsAre(Word{0, 3, false}));
  EXPECT_THAT(words_of(description, "\n"),
              testing::ElementsAre(Word{0, 1, true}));  // " \n" is one run of white space
  EXPECT_TRUE(words_of(description, "").empty());
}

TEST(PreTokenizer, UseRegexIsTrueWhereItIsAbsent) {
  EXPECT_TRUE(from_text(R"({"type": "ByteLevel", "add_prefix_space": false})").split_gpt2_pattern);
}

TEST(PreTokenizer, WhatIsNotSupportedIsRefusedByName) {
  const auto refused = [](const std::string& json, const std::string& part) {
    expect_input_error(ExitCode::kModel, part, [&] { from_text(json); });
  };
  const std::string bytes = R"({"type": "ByteLevel", "add_prefix_space": false})";
  refused(R"({"type": "Whitespace"})", "pre-tokeniser \"Whitespace\" is not supported");
  refused(R"({"type": "Digits", "individual_digits": true})", "no ByteLevel step");
  refused(R"({"type": "Sequence", "pretokenizers": [)" + bytes +
              R"(, {"type": "Digits", "individual_digits": true}]})",
          "pretokenizers[1]: a step behind ByteLevel");
  refused(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Upward", "invert": false})",
          "behavior: \"Upward\" is not supported");
  refused(R"({"type": "Split", "pattern": {}, "behavior": "Isolated", "invert": false})", "Regex");
  refused("[]", "expected an object");
}

}  // namespace
}  // namespace prescript
