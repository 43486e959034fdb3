#include "text/model_json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/expect_error.h"

namespace prescript {
namespace {

using nlohmann::json;

TokenizerDescription description_of(const json& model, bool is_byte_level = false) {
  TokenizerDescription description;
  if (is_byte_level) description.pre_tokenizer.push_back({.kind = TextStep::Kind::kBytes});
  model_from_json(JsonCursor(model, "model", ExitCode::kModel), description);
  return description;
}

void expect_refused(const json& model, const char* part) {
  expect_input_error(ExitCode::kModel, part, [&] { description_of(model); });
}

json bpe() {
  return {{"type", "BPE"},
          {"vocab", {{"<unk>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}}},
          {"merges", json::parse(R"([["a", "b"]])")},
          {"unk_token", "<unk>"},
          {"fuse_unk", true},
          {"byte_fallback", true},
          {"ignore_merges", true}};
}

TEST(ModelJson, ReadsBpe) {
  const TokenizerDescription description = description_of(bpe());
  EXPECT_EQ(description.model, TokenizerModel::kBpe);
  EXPECT_EQ(description.pieces.at(3).text, "ab");
  EXPECT_EQ(description.merges.size(), 1u);
  EXPECT_EQ(description.unknown_token, 0);
  EXPECT_TRUE(description.fuse_unknown);
  EXPECT_TRUE(description.byte_fallback);
  EXPECT_TRUE(description.ignore_merges);
}

TEST(ModelJson, WhatIsAbsentIsOff) {
  const json model = {{"vocab", {{"a", 0}}}, {"merges", json::array()}};
  const TokenizerDescription description = description_of(model);
  EXPECT_EQ(description.unknown_token, std::nullopt);
  EXPECT_FALSE(description.fuse_unknown || description.byte_fallback || description.ignore_merges);
}

TEST(ModelJson, ReadsUnigrams) {
  const json model = {
      {"type", "Unigram"}, {"vocab", json::parse(R"([["<unk>", 0], ["a", -1.5]])")}, {"unk_id", 0}};
  const TokenizerDescription description = description_of(model);
  EXPECT_EQ(description.model, TokenizerModel::kUnigram);
  EXPECT_EQ(description.pieces.at(1).text, "a");
  EXPECT_EQ(description.pieces.at(1).score, -1.5);
  EXPECT_EQ(description.unknown_token, 0);
  EXPECT_FALSE(description.byte_fallback);
}

TEST(ModelJson, WhatIsNotSupportedIsRefusedByName) {
  json model = bpe();
  model["type"] = "WordLevel";
  expect_refused(model, "type: \"WordLevel\" is not supported; BPE and Unigram are");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    model = bpe();
    model[key] = "x";
    expect_refused(model, key);
  }
}

TEST(ModelJson, DamagedModelsAreRefused) {
  json model = bpe();
  model["unk_token"] = "<none>";
  expect_refused(model, "unk_token: \"<none>\" is not in the vocabulary");
  model = bpe();
  model["byte_fallback"] = "yes";
  expect_refused(model, "byte_fallback: expected");
  const auto unigram = [](const char* vocabulary, int64_t unknown) -> json {
    return {{"type", "Unigram"}, {"vocab", json::parse(vocabulary)}, {"unk_id", unknown}};
  };
  expect_refused(unigram(R"([["a", -1], ["a", -2]])", 0), "vocab[1]: piece \"a\" is there twice");
  expect_refused(unigram(R"([["a", -1], ["b"]])", 0), "vocab[1]: expected a piece and its score");
  expect_refused(unigram(R"([["a", -1], ["b", -2]])", 2), "unk_id");
  expect_refused(unigram(R"([["a", -1], ["b", null]])", 0), "vocab[1][1]: expected a number");
}

}  // namespace
}  // namespace prescript
