#include "evaluate/selective.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

constexpr BootstrapOptions kBootstrap = {.seed = 3, .replicas = 200};

TEST(Selective, AnswersOfEqualConfidenceAreDeferredTogether) {
  // Confidence 1: 2 of 2 right; 0.5: 1 of 2; 0.25: 0 of 1.
  const std::vector<JudgedAnswer> answers = {
      {0.5, true}, {1, true}, {0.25, false}, {1, true}, {0.5, false}};
  const Selective selective = selective_of(answers, 0.75, kBootstrap);
  ASSERT_EQ(selective.curve.size(), 3U);
  const double rates[] = {0, 0.2, 0.6};
  const double accuracies[] = {3.0 / 5, 3.0 / 4, 1};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_DOUBLE_EQ(selective.curve[i].deferral_rate, rates[i]);
    EXPECT_DOUBLE_EQ(selective.curve[i].accuracy.value, accuracies[i]);
    EXPECT_LE(selective.curve[i].accuracy.low, accuracies[i]);
    EXPECT_GE(selective.curve[i].accuracy.high, accuracies[i]);
  }
  // The step curve: 0.6 up to 0.2, 0.75 up to 0.6, then 1.
  EXPECT_DOUBLE_EQ(selective.area.value, 0.2 * 0.6 + 0.4 * 0.75 + 0.4 * 1);
  // Bins (0.2, 0.3], (0.4, 0.5] and (0.9, 1].
  EXPECT_DOUBLE_EQ(selective.calibration_error.value, 0.25 / 5 + 0 + 0);
  EXPECT_DOUBLE_EQ(selective.brier.value, (0.0625 + 2 * 0.25) / 5);
  // Right over wrong: 2 * 2 pairs of certainty, 0.5 against 0.5 half, 0.5 against 0.25.
  EXPECT_DOUBLE_EQ(selective.auroc->value, 5.5 / 6);
  ASSERT_TRUE(selective.threshold->reached);
  EXPECT_EQ(selective.threshold->vote_share, 0.5) << "the least deferral that reaches it";
  EXPECT_DOUBLE_EQ(selective.threshold->deferral_rate, 0.2);
  EXPECT_EQ(selective.threshold->num_questions, 5);
}

TEST(Selective, AnAccuracyThatNothingReachesIsSaid) {
  const std::vector<JudgedAnswer> answers = {{0.5, true}, {0.5, false}, {0.9, false}};
  const Selective selective = selective_of(answers, 0.9, kBootstrap);
  EXPECT_FALSE(selective.threshold->reached);
  EXPECT_DOUBLE_EQ(selective.threshold->accuracy.value, 1.0 / 3);
}

TEST(Selective, AQuestionThatNobodyAnsweredIsDeferredAtAnyThreshold) {
  const std::vector<JudgedAnswer> answers = {
      {0, false}, {0, false}, {0.25, true}, {0.5, false}, {1, true}};
  const Selective selective = selective_of(answers, 0.1, kBootstrap);
  ASSERT_TRUE(selective.threshold->reached);
  EXPECT_EQ(selective.threshold->vote_share, 0.25);
  EXPECT_DOUBLE_EQ(selective.threshold->deferral_rate, 0.4);
  EXPECT_DOUBLE_EQ(selective.threshold->accuracy.value, 2.0 / 3);

  const std::vector<JudgedAnswer> unanswered = {{0, false}, {0, false}};
  EXPECT_FALSE(selective_of(unanswered, 0, kBootstrap).threshold);
}

TEST(Selective, WithoutAWrongAnswerNothingIsToldApart) {
  const std::vector<JudgedAnswer> answers = {{0.5, true}, {0.7, true}};
  EXPECT_FALSE(selective_of(answers, 0.9, kBootstrap).auroc);
}

TEST(Selective, ACurveOfManyConfidencesIsThinnedAndKeepsItsEnds) {
  std::vector<JudgedAnswer> answers;
  for (int i = 0; i < 500; ++i) answers.push_back({i / 500.0, i % 3 == 0});
  const Selective selective = selective_of(answers, 0.5, {.seed = 1, .replicas = 5});
  EXPECT_EQ(selective.curve.size(), 41U);
  EXPECT_EQ(selective.curve.front().num_answered, 500);
  EXPECT_EQ(selective.curve.back().num_answered, 1);
}

}  // namespace
}  // namespace prescript
