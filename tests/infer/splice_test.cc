#include "infer/splice.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

/// BOS, an instruction of two tokens, a question of two, an answer of one and its end.
RenderedExemplar rendered() {
  RenderedExemplar rendered;
  rendered.ids = {1, 10, 11, 20, 21, 30, 2};
  rendered.targets = {5, 6};
  rendered.question_token = 3;
  rendered.has_bos = true;
  return rendered;
}

/// Ids as they are, virtual tokens as -1 - index.
std::vector<int32_t> numbers(const Sequence& sequence, int32_t soft_prompt) {
  std::vector<int32_t> numbers;
  for (const Row& row : sequence.rows) {
    EXPECT_EQ(row.soft_prompt, row.is_virtual() ? soft_prompt : Row::kToken);
    numbers.push_back(row.is_virtual() ? -1 - row.index : row.index);
  }
  return numbers;
}

TEST(Splice, VirtualTokensStandWhereThePositionSaysAndTargetsMoveAlong) {
  const std::vector<std::pair<PromptPosition, std::vector<int32_t>>> cases = {
      {PromptPosition::kStart, {-1, -2, -3, 1, 10, 11, 20, 21, 30, 2}},
      {PromptPosition::kAfterBos, {1, -1, -2, -3, 10, 11, 20, 21, 30, 2}},
      {PromptPosition::kBeforeQuestion, {1, 10, 11, -1, -2, -3, 20, 21, 30, 2}}};
  for (const auto& [position, expected] : cases) {
    const Sequence sequence =
        splice(rendered(), {.index = 4, .num_virtual_tokens = 3, .position = position});
    EXPECT_EQ(numbers(sequence, 4), expected) << name_of(position);
    EXPECT_EQ(sequence.target_positions, (std::vector<int32_t>{8, 9}));
    EXPECT_EQ(sequence.target_weight, 1.0F);
  }
}

TEST(Splice, TargetsBeforeTheSoftPromptStayWhereTheyAre) {
  RenderedExemplar odd = rendered();
  odd.targets = {2, 3};
  const Sequence sequence = splice(
      odd, {.index = 0, .num_virtual_tokens = 2, .position = PromptPosition::kBeforeQuestion});
  EXPECT_EQ(sequence.target_positions, (std::vector<int32_t>{2, 5}));
  EXPECT_EQ(sequence.rows[5], Row::token(20));
}

TEST(Splice, WithoutASoftPromptTheRowsAreTheIds) {
  for (const auto position : {PromptPosition::kStart, PromptPosition::kAfterBos}) {
    RenderedExemplar plain = rendered();
    plain.has_bos = false;
    const Sequence sequence = splice(plain, {.num_virtual_tokens = 0, .position = position});
    EXPECT_EQ(numbers(sequence, 0), plain.ids);
    EXPECT_EQ(sequence.target_positions, plain.targets);
  }
}

TEST(Splice, AfterBosNeedsABos) {
  RenderedExemplar plain = rendered();
  plain.has_bos = false;
  expect_input_error(ExitCode::kModel, "does not begin with a BOS token", [&] {
    splice(plain, {.index = 0, .num_virtual_tokens = 1, .position = PromptPosition::kAfterBos});
  });
}

TEST(HardPromptOfAnAdapter, ComesBackAsItWasKept) {
  HardPrompt prompt;
  prompt.format = PromptFormat::kPlain;
  prompt.instruction = "Be brief.";
  prompt.rationale = true;
  prompt.date = "2026-02-03";
  prompt.few_shot = {parse_exemplar(
      R"({"id":"e1","question":"Which?","options":{"A":"this","B":"that"},"answer":"B","rationale":"So."})",
      "train.jsonl:1",
      true)};
  const HardPrompt back = hard_prompt_of(kept_form_of(prompt), "adapter");
  EXPECT_EQ(back.format, PromptFormat::kPlain);
  EXPECT_EQ(back.instruction, prompt.instruction);
  EXPECT_TRUE(back.rationale);
  EXPECT_EQ(back.date, prompt.date);
  ASSERT_EQ(back.few_shot.size(), 1U);
  EXPECT_EQ(back.few_shot[0].id, "e1");
  EXPECT_EQ(question_text(back.few_shot[0]), "Which?\n(A) this\n(B) that");
  EXPECT_EQ(answer_text(back.few_shot[0], true), "So.\nAnswer: (B)");

  EXPECT_EQ(kept_form_of(HardPrompt()).format, "chat");
}

TEST(HardPromptOfAnAdapter, DamageIsTheAdaptersFault) {
  AdapterHardPrompt kept;
  kept.format = "Chat";
  expect_input_error(
      ExitCode::kModel, "format 'Chat'", [&] { hard_prompt_of(kept, "some/adapter"); });
  kept.format = "chat";
  kept.few_shot_json = {R"({"id":"e1","question":"Confidential?"})"};
  expect_input_error(ExitCode::kModel, "some/adapter: few-shot exemplar 0", [&] {
    hard_prompt_of(kept, "some/adapter");
  });
}

}  // namespace
}  // namespace prescript
