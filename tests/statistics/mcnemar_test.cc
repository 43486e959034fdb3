#include "statistics/mcnemar.h"

#include <gtest/gtest.h>

#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

TEST(McNemar, EqualsScipysBinomialDistribution) {
  const auto golden = golden_statistics("mcnemar");
  ASSERT_EQ(golden.size(), 9U);
  for (const auto& expected : golden) {
    const McNemar found =
        mcnemar(expected["only_first"].get<size_t>(), expected["only_second"].get<size_t>());
    const auto exact = expected["exact_p"].get<double>();
    const auto mid = expected["mid_p"].get<double>();
    EXPECT_NEAR(found.exact_p / exact, 1, 1e-9) << expected;
    EXPECT_NEAR(found.mid_p / mid, 1, 1e-9) << expected;
  }
}

// Fagerland et al. 2013, table 1 (Bentur et al.: airway hyper-responsiveness before and after
// stem-cell transplantation): 1 and 7 discordant pairs, exact 0.070, mid-p 0.039.
TEST(McNemar, EqualsThePublishedExample) {
  const McNemar found = mcnemar(1, 7);
  EXPECT_NEAR(found.exact_p, 0.0703, 5e-5);
  EXPECT_NEAR(found.mid_p, 0.0391, 5e-5);
}

TEST(McNemar, WithoutDiscordantPairsIsOne) {
  EXPECT_EQ(mcnemar(0, 0).exact_p, 1);
  EXPECT_EQ(mcnemar(0, 0).mid_p, 1);
}

TEST(McNemar, DoesNotDependOnTheOrderAndIsNeverAboveOne) {
  for (size_t first = 0; first < 30; ++first) {
    for (size_t second = 0; second < 30; ++second) {
      EXPECT_EQ(mcnemar(first, second).exact_p, mcnemar(second, first).exact_p);
      EXPECT_LE(mcnemar(first, second).exact_p, 1);
      EXPECT_LE(mcnemar(first, second).mid_p, mcnemar(first, second).exact_p);
    }
  }
}

TEST(McNemar, IsATinyNumberWhenPairsAreMany) {
  EXPECT_GT(mcnemar(400, 0).exact_p, 0);
  EXPECT_GE(mcnemar(1000000, 0).exact_p, 0);
}

}  // namespace
}  // namespace prescript
