#include "infer/generated_text.h"

#include <gtest/gtest.h>

#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {
namespace {

TEST(GeneratedText, LeavesOutEndAndSpecialTokens) {
  const TemporaryDirectory directory;
  write_tiny_model(directory / "tiny");
  const BaseModelFiles base = open_base_model(directory / "tiny");
  const Generation ended = {{'H', kTinyTurnBegins, 'i', kTinyTurnEnds}, StopReason::kEndOfTurn};
  EXPECT_EQ(text_of(ended, *base.tokenizer), "Hi");
  const Generation cut_off = {{'H', 'i', 1'000'000}, StopReason::kLength};
  EXPECT_EQ(text_of(cut_off, *base.tokenizer), "Hi");
}

TEST(GeneratedText, EndsAreTheModelsAndTheFormats) {
  const TemporaryDirectory directory;
  write_tiny_model(directory / "tiny");
  const BaseModelFiles base = open_base_model(directory / "tiny");
  const Renderer chat(base.tokenizer, base.chat_template, base.path, {});
  const Renderer plain(
      base.tokenizer, base.chat_template, base.path, {.format = PromptFormat::kPlain});
  EXPECT_EQ(end_tokens_of(base, chat), (std::vector<int32_t>{kTinyEndOfText, kTinyTurnEnds}));
  EXPECT_EQ(end_tokens_of(base, plain), (std::vector<int32_t>{kTinyEndOfText}));
}

}  // namespace
}  // namespace prescript
