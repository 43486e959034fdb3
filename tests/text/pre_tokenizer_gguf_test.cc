#include "text/pre_tokenizer_gguf.h"

#include <gtest/gtest.h>

#include "text/text_steps_json.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

TEST(PreTokenizerGguf, ANameStandsForTheModelsOwnPreTokenizer) {
  const auto golden = tokenizer_golden("pre_tokenizers.json");
  size_t num_known = 0;
  for (const auto& kind : golden["pre_tokenizers"]) {
    const auto named = pre_tokenizer_of_gguf(kind["name"].get<std::string>());
    if (!named) continue;
    ++num_known;
    const JsonCursor json(kind["pre_tokenizer"], "golden", ExitCode::kModel);
    EXPECT_EQ(named->steps, pre_tokenizer_from_json(json)) << kind["name"];
  }
  EXPECT_EQ(num_known, 5u);
}

TEST(PreTokenizerGguf, WhatElseANameDecides) {
  EXPECT_TRUE(pre_tokenizer_of_gguf("llama-bpe")->ignore_merges);
  EXPECT_TRUE(pre_tokenizer_of_gguf("tekken")->adds_bos);
  EXPECT_FALSE(pre_tokenizer_of_gguf("smollm")->ignore_merges);
  EXPECT_EQ(pre_tokenizer_of_gguf("qwen2")->normalizer,
            std::vector<TextStep>{{.kind = TextStep::Kind::kNfc}});
  EXPECT_TRUE(pre_tokenizer_of_gguf("deepseek-r1-qwen")->normalizer.empty());
}

TEST(PreTokenizerGguf, OtherNamesAreUnknown) {
  EXPECT_FALSE(pre_tokenizer_of_gguf("jina-v2-zh"));
  EXPECT_FALSE(pre_tokenizer_of_gguf(""));
}

TEST(PreTokenizerGguf, EveryNameInTheMessageIsKnown) {
  const std::string names = gguf_pre_tokenizer_names() + ", ";
  size_t count = 0;
  for (size_t begin = 0; begin < names.size(); ++count) {
    const size_t end = names.find(", ", begin);
    EXPECT_TRUE(pre_tokenizer_of_gguf(names.substr(begin, end - begin))) << begin;
    begin = end + 2;
  }
  EXPECT_GE(count, 20u);
}

}  // namespace
}  // namespace prescript
