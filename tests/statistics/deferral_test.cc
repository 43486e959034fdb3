#include "statistics/deferral.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

using Answers = std::vector<JudgedAnswer>;

TEST(DeferralCurve, HasScikitLearnsPrecisionAtEveryThreshold) {
  const auto golden = golden_statistics("answers");
  ASSERT_EQ(golden.size(), 5U);
  for (const auto& expected : golden) {
    const Answers answers = judged_answers(expected);
    const auto curve = deferral_curve(answers);
    ASSERT_EQ(curve.size(), expected["thresholds"].size());
    for (size_t i = 0; i < curve.size(); ++i) {
      EXPECT_EQ(curve[i].threshold, expected["thresholds"][i].get<double>());
      EXPECT_NEAR(curve[i].accuracy, expected["accuracy"][i].get<double>(), 1e-15);
    }
  }
}

TEST(DeferralCurve, WithoutEqualConfidencesHasTheAreaOfTheRiskCoverageCurve) {
  size_t compared = 0;
  for (const auto& expected : golden_statistics("answers")) {
    if (expected["aurc"].is_null()) continue;
    ++compared;
    EXPECT_NEAR(area_under_deferral_curve(deferral_curve(judged_answers(expected))),
                1 - expected["aurc"].get<double>(),
                1e-12);
  }
  EXPECT_EQ(compared, 3U);
}

// Two of three are right at 0.9, none at 0.5: nobody can answer just the right one of the three.
TEST(DeferralCurve, DefersEqualConfidencesTogether) {
  for (const Answers& answers : {Answers{{0.9, true}, {0.5, false}, {0.9, false}, {0.9, true}},
                                 Answers{{0.9, false}, {0.9, true}, {0.9, true}, {0.5, false}}}) {
    const auto curve = deferral_curve(answers);
    ASSERT_EQ(curve.size(), 2U);
    EXPECT_EQ(curve[0].deferral_rate, 0);
    EXPECT_EQ(curve[0].accuracy, 0.5);
    EXPECT_EQ(curve[0].answered, 4U);
    EXPECT_EQ(curve[1].deferral_rate, 0.25);
    EXPECT_EQ(curve[1].threshold, 0.9);
    EXPECT_EQ(curve[1].correct, 2U);
    EXPECT_DOUBLE_EQ(curve[1].accuracy, 2.0 / 3);
    EXPECT_DOUBLE_EQ(area_under_deferral_curve(curve), 0.25 * 0.5 + 0.75 * 2 / 3);
  }
}

TEST(DeferralCurve, OfOneAnswerAndOfEqualOnesIsAPoint) {
  for (const Answers& answers : {Answers{{0.3, true}}, Answers(20, {0.3, true})}) {
    const auto curve = deferral_curve(answers);
    ASSERT_EQ(curve.size(), 1U);
    EXPECT_EQ(curve[0].deferral_rate, 0);
    EXPECT_EQ(curve[0].accuracy, 1);
    EXPECT_EQ(area_under_deferral_curve(curve), 1);
  }
}

TEST(DeferralCurve, GivesTheLeastDeferralForAnAccuracy) {
  // Accuracies 2/4, 2/3, 2/2, 1/1 behind thresholds 0.1, 0.2, 0.3, 0.4.
  const auto curve = deferral_curve(Answers{{0.1, false}, {0.2, false}, {0.3, true}, {0.4, true}});
  EXPECT_EQ(least_deferral_for_accuracy(curve, 0.5)->threshold, 0.1);
  EXPECT_EQ(least_deferral_for_accuracy(curve, 0.6)->threshold, 0.2);
  EXPECT_EQ(least_deferral_for_accuracy(curve, 1)->threshold, 0.3);
  EXPECT_FALSE(
      least_deferral_for_accuracy(deferral_curve(Answers{{0.1, true}, {0.2, false}}), 0.9));
}

TEST(DeferralCurve, RefusesWhatIsNoConfidence) {
  EXPECT_THROW(deferral_curve({}), ContractError);
  EXPECT_THROW(deferral_curve(Answers{{NAN, true}}), ContractError);
  EXPECT_THROW(deferral_curve(Answers{{2, true}}), ContractError);
  EXPECT_THROW(area_under_deferral_curve({}), ContractError);
}

}  // namespace
}  // namespace prescript
