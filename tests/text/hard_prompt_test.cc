#include "text/hard_prompt.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

Exemplar exemplar(const std::string& fields) {
  return parse_exemplar("{" + fields + "}", "a.jsonl:1", /*need_answer=*/false);
}

const Exemplar kFree = exemplar(R"("question": "Why?", "answer": "Because.")");
const Exemplar kReasoned =
    exemplar(R"("question": "Why?", "answer": "Because.", "rationale": "It is so.")");
const Exemplar kWithContext =
    exemplar(R"("context": "A study.\n", "question": "Why?", "answer": "Because.")");
const Exemplar kChoice = exemplar(
    R"("question": "Which?", "options": {"A": "one", "B": "two"}, "answer": "B", "rationale": "As.")");
const Exemplar kFullChoice =
    exemplar(R"("context": "C", "question": "Which?", "options": {"A": "one", "C": "two"})");

TEST(HardPrompt, AQuestionIsContextQuestionAndOptions) {
  EXPECT_EQ(question_text(kFree), "Why?");
  EXPECT_EQ(question_text(kWithContext), "A study.\n\n\nWhy?");
  EXPECT_EQ(question_text(kChoice), "Which?\n(A) one\n(B) two");
  EXPECT_EQ(question_text(kFullChoice), "C\n\nWhich?\n(A) one\n(C) two");
}

TEST(HardPrompt, AnAnswerIsItsTextOrItsLetter) {
  EXPECT_EQ(answer_text(kFree, false), "Because.");
  EXPECT_EQ(answer_text(kReasoned, false), "Because.");
  EXPECT_EQ(answer_text(kChoice, false), "(B)");
}

TEST(HardPrompt, ARationaleComesBeforeTheAnswer) {
  EXPECT_EQ(answer_text(kReasoned, true), "It is so.\nAnswer: Because.");
  EXPECT_EQ(answer_text(kChoice, true), "As.\nAnswer: (B)");
  EXPECT_EQ(answer_text(kFree, true), "Answer: Because.");
}

TEST(HardPrompt, AnExemplarWithoutAnswerIsNamed) {
  expect_input_error(
      ExitCode::kData, "a.jsonl:1: answer: missing", [] { answer_text(kFullChoice, false); });
}

struct Case {
  HardPrompt prompt;
  Exemplar exemplar;
  std::string before;  // what stands before Q(e)
};

TEST(HardPrompt, AMessageIsInstructionFewShotAndQuestion) {
  const std::optional<std::string> none, instruction = "Answer well.";
  const PromptFormat chat = PromptFormat::kChat;
  const std::string shot = "Question: Why?\nAnswer: Because.\n\n";
  const std::string choice = "Question: Which?\n(A) one\n(B) two\nAnswer: (B)\n\n";
  const std::string reasoned =
      "Question: Which?\n(A) one\n(B) two\nExplanation: As.\nAnswer: (B)\n\n";
  const std::string unreasoned = "Question: Why?\nExplanation: Answer: Because.\n\n";
  const Case cases[] = {
      {{chat, none, {}, false, {}}, kFree, ""},
      {{chat, none, {}, true, {}}, kChoice, ""},
      {{chat, "", {}, false, {}}, kFree, ""},
      {{chat, instruction, {}, false, {}}, kFree, "Answer well.\n\n"},
      {{chat, instruction, {}, true, {}}, kFullChoice, "Answer well.\n\n"},
      {{chat, none, {kFree}, false, {}}, kChoice, shot + "Question: "},
      {{chat, none, {kFree, kChoice}, false, {}}, kFullChoice, shot + choice + "Question: "},
      {{chat, instruction, {kChoice}, false, {}},
       kWithContext,
       "Answer well.\n\n" + choice + "Question: "},
      {{chat, instruction, {kChoice, kFree}, true, {}},
       kReasoned,
       "Answer well.\n\n" + reasoned + unreasoned + "Question: "},
      {{PromptFormat::kPlain, instruction, {kFree}, false, {}},
       kChoice,
       "Answer well.\n\n" + shot + "Question: "},
  };
  for (const Case& c : cases) {
    const Message message = message_of(c.exemplar, c.prompt);
    EXPECT_EQ(message.text, c.before + question_text(c.exemplar));
    EXPECT_EQ(message.question_begin, c.before.size()) << message.text;
  }
}

TEST(HardPrompt, AConversationIsNoFewShotExemplar) {
  HardPrompt prompt;
  prompt.few_shot.push_back(exemplar(
      R"("messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},)"
      R"({"role": "assistant", "content": "A"}])"));
  expect_input_error(
      ExitCode::kData, "a.jsonl:1: messages: a conversation", [&] { message_of(kFree, prompt); });
}

TEST(HardPrompt, AFewShotExemplarNeedsAnAnswer) {
  HardPrompt prompt;
  prompt.few_shot.push_back(kFullChoice);
  expect_input_error(
      ExitCode::kData, "a.jsonl:1: answer: missing", [&] { message_of(kFree, prompt); });
}

}  // namespace
}  // namespace prescript
