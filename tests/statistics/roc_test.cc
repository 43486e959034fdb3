#include "statistics/roc.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

using Doubles = std::vector<double>;

TEST(Roc, EqualsScikitLearns) {
  const auto golden = golden_statistics("roc");
  ASSERT_EQ(golden.size(), 5U);
  for (const auto& expected : golden) {
    const auto curve =
        roc_curve(expected["positives"].get<Doubles>(), expected["negatives"].get<Doubles>());
    EXPECT_NEAR(area_under_roc(curve), expected["area"].get<double>(), 1e-12);
    for (const auto& [rate, true_positives] : expected["true_positive_rates"].items())
      EXPECT_NEAR(
          true_positive_rate_at(curve, std::stod(rate)), true_positives.get<double>(), 1e-12)
          << rate;
  }
}

TEST(Roc, OfEqualScoresIsChance) {
  const auto curve = roc_curve(Doubles(3, 1.5), Doubles(7, 1.5));
  ASSERT_EQ(curve.size(), 2U);
  EXPECT_EQ(area_under_roc(curve), 0.5);
  EXPECT_EQ(true_positive_rate_at(curve, 0.99), 0);
  EXPECT_EQ(true_positive_rate_at(curve, 1), 1);
}

TEST(Roc, OfScoresThatTellAllApartIsOneOrZero) {
  EXPECT_EQ(area_under_roc(roc_curve(Doubles{2}, Doubles{1})), 1);
  EXPECT_EQ(area_under_roc(roc_curve(Doubles{1}, Doubles{2})), 0);
  EXPECT_EQ(true_positive_rate_at(roc_curve(Doubles{2}, Doubles{1}), 0), 1);
}

TEST(Roc, TakesInfiniteScoresAsTheGreatest) {
  const auto curve = roc_curve(Doubles{INFINITY, 0}, Doubles{-INFINITY, 1});
  EXPECT_EQ(area_under_roc(curve), 0.75);
  EXPECT_EQ(curve.back().true_positive_rate, 1);
  EXPECT_EQ(curve.back().false_positive_rate, 1);
}

TEST(Roc, RefusesWhatHasNoCurve) {
  EXPECT_THROW(roc_curve({}, Doubles{1}), ContractError);
  EXPECT_THROW(roc_curve(Doubles{1}, {}), ContractError);
  EXPECT_THROW(roc_curve(Doubles{NAN}, Doubles{1}), ContractError);
  EXPECT_THROW(roc_curve(Doubles{1}, Doubles{NAN}), ContractError);
  EXPECT_THROW(true_positive_rate_at(roc_curve(Doubles{1}, Doubles{1}), NAN), ContractError);
}

}  // namespace
}  // namespace prescript
