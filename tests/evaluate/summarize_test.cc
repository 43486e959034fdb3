#include "evaluate/summarize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluate/small_evaluation.h"

namespace prescript {
namespace {

using testing::ElementsAre;

const Condition& condition(const Evaluation& evaluation,
                           const std::string& task,
                           const std::string& system) {
  for (const Condition& one : evaluation.conditions) {
    if (one.task == task && one.system == system) return one;
  }
  throw std::out_of_range(task + " " + system);
}

TEST(Summarize, AccuracyAndItsIntervalAreOfTheQuestions) {
  const Evaluation evaluation = summarize(small_evaluation());
  ASSERT_EQ(evaluation.conditions.size(), 4U);
  for (const char* system : {"base", "demo"}) {
    const Condition& quiz = condition(evaluation, "quiz", system);
    EXPECT_EQ(quiz.num_questions, 4);
    EXPECT_EQ(quiz.accuracy->value, 0.5);
    EXPECT_LE(quiz.accuracy->low, 0.25);
    EXPECT_GE(quiz.accuracy->high, 0.75);
    EXPECT_EQ(quiz.unparsed, 0);
    ASSERT_TRUE(quiz.selective);
    EXPECT_EQ(quiz.selective->confidence, "option probability");
  }
}

TEST(Summarize, LongAnswersAreScoredAgainstReferenceAndMustHaves) {
  const Evaluation evaluation = summarize(small_evaluation());
  const Condition& base = condition(evaluation, "talk", "base");
  EXPECT_FALSE(base.accuracy);
  EXPECT_EQ(base.num_references, 1);
  EXPECT_DOUBLE_EQ(base.rouge_l->value, 0.5);           // 1 of 1 and 1 of 3 words
  EXPECT_DOUBLE_EQ(base.must_have_coverage->value, 0);  // "rest" is half of "rest helps"
  const Condition& demo = condition(evaluation, "talk", "demo");
  EXPECT_DOUBLE_EQ(demo.rouge_l->value, 2 * (3.0 / 5) * 1 / (3.0 / 5 + 1));
  EXPECT_DOUBLE_EQ(demo.must_have_coverage->value, 1);
}

TEST(Summarize, SystemsAreComparedOnTheSameQuestions) {
  const Evaluation evaluation = summarize(small_evaluation());
  const Comparison& quiz = evaluation.comparisons.front();
  EXPECT_EQ(quiz.metric, "accuracy");
  EXPECT_EQ(quiz.first_system, "base");
  EXPECT_EQ(quiz.second_system, "demo");
  EXPECT_EQ(quiz.num_questions, 4);
  EXPECT_EQ(quiz.difference.value, 0);
  EXPECT_THAT(quiz.won, ElementsAre("q3"));
  EXPECT_THAT(quiz.lost, ElementsAre("q1"));
  EXPECT_EQ(quiz.mcnemar_p, 1);
  ASSERT_EQ(evaluation.examples.size(), 2U);
  const Example& lost = evaluation.examples.front();
  EXPECT_EQ(lost.id, "q1");
  EXPECT_FALSE(lost.won);
  EXPECT_EQ(lost.first_said + lost.second_said + lost.gold, "ABA");
  EXPECT_EQ(lost.question, "Question q1?\n(A) one\n(B) other");
}

TEST(Summarize, WorkIsSummedByComputation) {
  const Evaluation evaluation = summarize(small_evaluation());
  ASSERT_EQ(evaluation.shared_work.size(), 1U);
  EXPECT_EQ(evaluation.shared_work[0].what, "zero_shot options");
  EXPECT_EQ(evaluation.shared_work[0].rows_computed, 15);
  EXPECT_EQ(evaluation.shared_work[0].rows_unshared, 60);
}

TEST(Summarize, AnEvaluationThatIsNotFinishedIsSummedOverWhatIsThere) {
  EvaluationFiles files = small_evaluation();
  files.records.records.resize(3);  // q1 of both, q2 of the base
  const Evaluation evaluation = summarize(files);
  EXPECT_EQ(condition(evaluation, "quiz", "base").num_questions, 2);
  EXPECT_EQ(condition(evaluation, "quiz", "demo").num_questions, 1);
  EXPECT_EQ(evaluation.comparisons.front().num_questions, 1);
  files.records.records.clear();
  EXPECT_TRUE(summarize(files).conditions.empty());
}

}  // namespace
}  // namespace prescript
