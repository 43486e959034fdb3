#include <algorithm>
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/gguf.h"
#include "support/expect_error.h"
#include "text/tokenizer.h"
#include "text/tokenizer_golden.h"
#include "text/tokens.h"

namespace prescript {
namespace {

std::string family_path(const std::string& name) {
  return tokenizer_golden_path("families/" + name);
}

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(tokenizer_golden_path("families"))) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class TokenizerFamily : public testing::TestWithParam<std::string> {
 protected:
  Tokenizer tokenizer = Tokenizer::from_json_file(family_path(GetParam() + ".json"));
  /// Whether a special token is among them, but for the unknown token.
  bool has_special(const std::vector<int32_t>& ids) const {
    return std::any_of(ids.begin(), ids.end(), [&](int32_t id) {
      return tokenizer.is_special(id) && tokenizer.piece(id) != "<unk>";
    });
  }
  std::vector<nlohmann::json> lines = tokenizer_golden_lines("families/" + GetParam() + ".jsonl");
};

TEST_P(TokenizerFamily, EncodesAsTokenizersDoes) {
  EXPECT_EQ(lines.size(), 160u);
  size_t num_special = 0;
  for (const auto& line : lines) {
    const auto text = line[0].get<std::string>();
    const auto parsed = tokenizer.encode(text, SpecialTokens::kParse);
    EXPECT_EQ(ids_of(parsed), line[2].get<std::vector<int32_t>>()) << line[0];
    expect_tiled(parsed, text);
    num_special += has_special(ids_of(parsed));

    const auto plain = tokenizer.encode(text, SpecialTokens::kText);
    expect_tiled(plain, text);
    if (ids_of(parsed) != ids_of(plain) && GetParam().starts_with("unigram")) {
      // There `tokenizers` finds special tokens among the pieces all the same; to us they are text.
      EXPECT_FALSE(has_special(ids_of(plain))) << line[0];
      continue;
    }
    EXPECT_EQ(ids_of(plain), line[1].get<std::vector<int32_t>>()) << line[0];
  }
  EXPECT_GE(num_special, 15u);
}

TEST_P(TokenizerFamily, DecodesAsTokenizersDoes) {
  size_t num_compared = 0;
  for (const auto& line : lines) {
    const auto decoded = line[3].get<std::string>();
    if (decoded.find("\ufffd") != std::string::npos) continue;  // bytes that are no UTF-8
    ++num_compared;
    EXPECT_EQ(tokenizer.decode(line[1].get<std::vector<int32_t>>(), false), decoded) << line[0];
  }
  EXPECT_GE(num_compared, 100u);
}

INSTANTIATE_TEST_SUITE_P(Families,
                         TokenizerFamily,
                         testing::ValuesIn(families()),
                         [](const auto& family) {
                           std::string name = family.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(TokenizerFamilies, AreAllThere) {
  EXPECT_EQ(families().size(), 16u);
}

TEST(TokenizerFamilies, AMillionBytesAreNotQuadratic) {
  for (const char* name : {"gemma", "llama2", "unigram", "unigram-normalized"}) {
    const Tokenizer tokenizer = Tokenizer::from_json_file(family_path(name + std::string(".json")));
    for (const std::string unit : {"a", " ", "The patient has 2 fevers.\n", "患者"}) {
      std::string text;
      while (text.size() < 1'000'000) text += unit;
      const auto begin = std::chrono::steady_clock::now();
      const auto tokens = tokenizer.encode(text, SpecialTokens::kParse);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      const bool is_left_out = unit == " " && name == std::string_view("unigram-normalized");
      EXPECT_EQ(tokens.empty(), is_left_out);
      EXPECT_LT(seconds.count(), 20.0) << name << unit;  // quadratic: hours. Sanitizers are slow.
    }
  }
}

class ScoredFamilies : public testing::TestWithParam<std::string> {};

TEST_P(ScoredFamilies, OfAGgufFileMergeAsTokenizerJsonDoes) {
  const auto file = GgufFile::open(family_path(GetParam() + ".gguf"));
  const Tokenizer from_gguf = Tokenizer::from_gguf(*file);
  const Tokenizer from_json = Tokenizer::from_json_file(family_path(GetParam() + ".json"));
  for (const auto& line : tokenizer_golden_lines("families/" + GetParam() + ".jsonl")) {
    const auto text = line[0].get<std::string>();
    for (const SpecialTokens mode : {SpecialTokens::kParse, SpecialTokens::kText}) {
      const auto tokens = from_gguf.encode(text, mode);
      EXPECT_EQ(tokens, from_json.encode(text, mode)) << line[0];
      EXPECT_EQ(from_gguf.decode(ids_of(tokens), false), from_json.decode(ids_of(tokens), false));
    }
  }
  EXPECT_TRUE(from_gguf.adds_bos());
  if (GetParam() != "phi3") {  // whose tokenizer.json adds none
    EXPECT_EQ(from_gguf.bos_token(), from_json.bos_token());
  }
  EXPECT_EQ(from_gguf.bos_token(), from_gguf.id_of(GetParam() == "gemma" ? "<bos>" : "<s>"));
  EXPECT_TRUE(from_gguf.is_special(*from_gguf.id_of("<unk>")));
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, ScoredFamilies, testing::Values("llama2", "phi3", "gemma"));

TEST(TokenizerFamilies, UnigramsOfAGgufFileEncodeAsThoseOfTokenizerJson) {
  const auto file = GgufFile::open(family_path("unigram-normalized.gguf"));
  const Tokenizer from_gguf = Tokenizer::from_gguf(*file);
  const Tokenizer from_json = Tokenizer::from_json_file(family_path("unigram-normalized.json"));
  for (const auto& line : tokenizer_golden_lines("families/unigram-normalized.jsonl")) {
    const auto text = line[0].get<std::string>();
    for (const SpecialTokens mode : {SpecialTokens::kParse, SpecialTokens::kText}) {
      const auto tokens = from_gguf.encode(text, mode);
      EXPECT_EQ(tokens, from_json.encode(text, mode)) << line[0];
      EXPECT_EQ(from_gguf.decode(ids_of(tokens), false), from_json.decode(ids_of(tokens), false));
    }
  }
  EXPECT_EQ(std::string(from_gguf.kind()), "unigram");
  EXPECT_FALSE(from_gguf.adds_bos());
  EXPECT_EQ(from_gguf.bos_token(), from_gguf.id_of("<s>"));
  EXPECT_EQ(from_gguf.eos_token(), from_gguf.id_of("</s>"));
}

TEST(TokenizerFamilies, SayWhatTheyAre) {
  const auto kind = [](const std::string& name) {
    return std::string(Tokenizer::from_json_file(family_path(name)).kind());
  };
  EXPECT_EQ(kind("gpt2.json"), "byte-level BPE");
  EXPECT_EQ(kind("llama2.json"), "BPE");
  EXPECT_EQ(kind("unigram.json"), "unigram");
  const auto file = GgufFile::open(family_path("llama2.gguf"));
  EXPECT_EQ(std::string(Tokenizer::from_gguf(*file).kind()), "SentencePiece BPE");
}

TEST(TokenizerFamilies, ASpaceIsPutBeforeTheTextAndTakenAway) {
  const Tokenizer tokenizer = Tokenizer::from_json_file(family_path("llama2.json"));
  const auto tokens = tokenizer.encode("patient", SpecialTokens::kText);
  EXPECT_EQ(tokenizer.piece(tokens[0].id).substr(0, 3), "▁");
  EXPECT_EQ(tokens[0].begin, 0u);
  EXPECT_EQ(tokenizer.decode(ids_of(tokens), false), "patient");
  EXPECT_EQ(tokenizer.token_bytes(tokens[0].id)[0], ' ');
  const auto two = ids_of(tokenizer.encode("  patient", SpecialTokens::kText));
  EXPECT_EQ(tokenizer.decode(two, false), "  patient");
}

}  // namespace
}  // namespace prescript
