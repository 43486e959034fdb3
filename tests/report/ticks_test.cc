#include "report/ticks.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;

TEST(RoundTicks, CoverTheRangeInRoundSteps) {
  const Ticks ticks = round_ticks(0.22, 0.61, 5, NumberStyle::kPercent);
  EXPECT_THAT(
      ticks.labels,
      ElementsAre("20\u00a0%", "30\u00a0%", "40\u00a0%", "50\u00a0%", "60\u00a0%", "70\u00a0%"));
  EXPECT_THAT(round_ticks(0, 200, 4, NumberStyle::kPlain).labels,
              ElementsAre("0", "50", "100", "150", "200"));
  EXPECT_THAT(round_ticks(-0.09, 0.08, 4, NumberStyle::kPoints).labels,
              ElementsAre("−10", "−5", "0", "+5", "+10"));
  EXPECT_THAT(round_ticks(1.99, 2.013, 4, NumberStyle::kPlain).labels,
              ElementsAre("1.99", "2.00", "2.01", "2.02"));
}

TEST(RoundTicks, DoNotPassAnEndThatIsRound) {
  const Ticks ticks = round_ticks(0.3, 0.6, 3, NumberStyle::kPlain);
  EXPECT_THAT(ticks.values,
              ElementsAre(DoubleEq(0.3), DoubleEq(0.4), DoubleEq(0.5), DoubleEq(0.6)));
  EXPECT_THAT(round_ticks(0, 1, 5, NumberStyle::kPlain).values.size(), 6U);
}

TEST(RoundTicks, AreFewAndRisingForAnyRange) {
  const std::vector<double> ends = {0,
                                    1,
                                    -1,
                                    1e-12,
                                    3e-7,
                                    0.1 + 0.2,
                                    1 - 1e-16,
                                    1e15,
                                    1e15 + 1,
                                    -1e308,
                                    1e308,
                                    5e-324,
                                    INFINITY,
                                    -INFINITY,
                                    NAN};
  for (const double low : ends) {
    for (const double high : ends) {
      const Ticks ticks = round_ticks(low, high, 5, NumberStyle::kPlain);
      ASSERT_GE(ticks.values.size(), 2U) << low << ' ' << high;
      ASSERT_LE(ticks.values.size(), 12U) << low << ' ' << high;
      EXPECT_LT(ticks.low, ticks.high);
      for (size_t i = 1; i < ticks.values.size(); ++i) {
        EXPECT_LT(ticks.values[i - 1], ticks.values[i]) << low << ' ' << high;
        EXPECT_NE(ticks.labels[i - 1], ticks.labels[i]) << low << ' ' << high;
      }
      for (const std::string& label : ticks.labels) EXPECT_LE(label.size(), 20U);
    }
  }
}

}  // namespace
}  // namespace prescript
