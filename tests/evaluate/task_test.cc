#include "evaluate/task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using testing::ElementsAre;

std::string quiz(int begin, int end, const std::string& more = "") {
  std::string lines;
  for (int i = begin; i < end; ++i) {
    const std::string n = std::to_string(i);
    lines += R"({"id":"q)" + n + R"(","question":"What is )" + n +
             R"(?","options":{"A":"x","B":"y"},"answer":"A")" + more + "}\n";
  }
  return lines;
}

class TaskTest : public testing::Test {
 protected:
  Task read(const std::string& lines, TaskOptions options = {}) const {
    options.name = "t";
    options.questions = dir_.write("q.jsonl", lines);
    return read_task(options);
  }
  TemporaryDirectory dir_;
};

std::vector<std::string> ids(const std::vector<Exemplar>& exemplars) {
  std::vector<std::string> found;
  for (const Exemplar& exemplar : exemplars) found.push_back(exemplar.id);
  return found;
}

TEST_F(TaskTest, KindFollowsFromTheFields) {
  EXPECT_EQ(read(quiz(0, 2)).kind, TaskKind::kMultipleChoice);
  EXPECT_EQ(read("{\"question\":\"Why?\",\"answer\":null}\n").kind, TaskKind::kLongForm);
  expect_input_error(ExitCode::kData, "q.jsonl:2: it has no options", [&] {
    read(quiz(0, 1) + "{\"question\":\"Why?\"}\n");
  });
  expect_input_error(ExitCode::kData, "answer: missing", [&] {
    read("{\"question\":\"Why?\",\"options\":{\"A\":\"x\",\"B\":\"y\"}}\n");
  });
}

TEST_F(TaskTest, ASampleIsDrawnBySeedAndKeepsTheOrderOfTheFile) {
  const Task all = read(quiz(0, 30));
  const Task some = read(quiz(0, 30), {.limit = 6, .seed = 1});
  EXPECT_EQ(all.questions.size(), 30U);
  EXPECT_EQ(some.num_in_file, 30);
  const auto drawn = ids(some.questions);
  EXPECT_EQ(drawn.size(), 6U);
  EXPECT_EQ(drawn, ids(read(quiz(0, 30), {.limit = 6, .seed = 1}).questions));
  EXPECT_NE(drawn, ids(read(quiz(0, 30), {.limit = 6, .seed = 2}).questions));
  EXPECT_NE(drawn, (std::vector<std::string>{"q0", "q1", "q2", "q3", "q4", "q5"}));
  std::vector<size_t> places;
  for (const std::string& id : drawn) places.push_back(std::stoul(id.substr(1)));
  EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
  EXPECT_EQ(read(quiz(0, 3), {.limit = 9}).questions.size(), 3U);
}

TEST_F(TaskTest, WhatIsAskedIsNeverShown) {
  TaskOptions options = {.few_shot_from = dir_.write("shots.jsonl", quiz(0, 6)),
                         .few_shot_count = 2};
  const Task task = read(quiz(0, 4), options);
  EXPECT_THAT(ids(task.few_shot), ElementsAre("q4", "q5"));
  options.few_shot_count = 3;
  expect_input_error(
      ExitCode::kData, "2 exemplars of the task's kind", [&] { read(quiz(0, 4), options); });
}

TEST_F(TaskTest, StrategiesHaveTheirHardPrompts) {
  Task task = read(quiz(0, 2));
  task.prompt.instruction = "Be brief.";
  task.few_shot = read(quiz(4, 5, R"(,"rationale":"Because.")")).questions;
  EXPECT_TRUE(prompt_of(task, Strategy::kZeroShot).few_shot.empty());
  EXPECT_EQ(prompt_of(task, Strategy::kZeroShot).instruction, "Be brief.");
  const HardPrompt shown = prompt_of(task, Strategy::kFewShot);
  EXPECT_FALSE(shown.rationale);
  EXPECT_EQ(message_of(task.questions[0], shown).text,
            "Be brief.\n\nQuestion: What is 4?\n(A) x\n(B) y\nAnswer: (A)\n\n"
            "Question: What is 0?\n(A) x\n(B) y");
  const HardPrompt reasoned = prompt_of(task, Strategy::kSelectivePrediction);
  EXPECT_EQ(message_of(task.questions[0], reasoned).text,
            std::string(kReasoningInstruction) +
                "\n\nQuestion: What is 4?\n(A) x\n(B) y\nExplanation: Because.\nAnswer: (A)\n\n"
                "Question: What is 0?\n(A) x\n(B) y");
  task.reasoning_instruction = "Think.";
  EXPECT_EQ(prompt_of(task, Strategy::kChainOfThought).instruction, "Think.");
}

TEST_F(TaskTest, QuestionsThatOccurAreFoundWhateverTheirPunctuation) {
  const auto asked = read(quiz(0, 2) +
                          "{\"id\":\"u\",\"question\":\"Was ist "
                          "\xc3\xa4?\",\"options\":{\"A\":\"x\",\"B\":\"y\"},\"answer\":\"A\"}\n")
                         .questions;
  const auto known =
      read(
          "{\"question\":\"what is 1 \",\"options\":{\"A\":\"X.\",\"B\":\"y\"},\"answer\":\"B\"}\n")
          .questions;
  EXPECT_THAT(ids_that_occur(asked, known), ElementsAre("q1"));
  const auto other_options =
      read("{\"question\":\"What is 1?\",\"options\":{\"A\":\"z\",\"B\":\"y\"},\"answer\":\"B\"}\n")
          .questions;
  EXPECT_THAT(ids_that_occur(asked, other_options), ElementsAre());
  EXPECT_THAT(ids_that_occur(asked, asked), ElementsAre("q0", "q1", "u"));
}

TEST(Strategies, HaveNames) {
  for (const char* name :
       {"zero_shot", "few_shot", "chain_of_thought", "self_consistency", "selective_prediction"}) {
    EXPECT_STREQ(name_of(strategy_of(name)), name);
  }
  EXPECT_THROW(strategy_of("other"), ContractError);
}

}  // namespace
}  // namespace prescript
