#include "statistics/bootstrap.h"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

using Doubles = std::vector<double>;
using Indices = std::span<const size_t>;

TEST(Quantile, EqualsNumpys) {
  const auto golden = golden_statistics("bootstrap");
  ASSERT_GT(golden["quantiles"].size(), 10U);
  for (const auto& expected : golden["quantiles"])
    EXPECT_DOUBLE_EQ(quantile(expected["values"].get<Doubles>(), expected["share"].get<double>()),
                     expected["quantile"].get<double>())
        << expected;
  EXPECT_THROW(quantile({}, 0.5), ContractError);
  EXPECT_THROW(quantile(Doubles{1}, 1.5), ContractError);
}

// The resampled share is binomial. With 20 000 replicas the quantiles are those of the distribution
// or the neighbouring count.
TEST(BootstrapMean, OfASharesHasTheQuantilesOfTheBinomialDistribution) {
  const auto golden = golden_statistics("bootstrap");
  ASSERT_EQ(golden["proportions"].size(), 4U);
  for (const auto& expected : golden["proportions"]) {
    const auto n = expected["size"].get<size_t>();
    const auto ones = expected["ones"].get<size_t>();
    Doubles values(n, 0);
    std::fill_n(values.begin(), ones, 1.0);
    const Estimate found = bootstrap_mean(values, {.replicas = 20000});
    EXPECT_DOUBLE_EQ(found.value, static_cast<double>(ones) / static_cast<double>(n));
    const double one_count = 1.001 / static_cast<double>(n);
    EXPECT_NEAR(found.low, expected["low"].get<double>(), one_count) << expected;
    EXPECT_NEAR(found.high, expected["high"].get<double>(), one_count) << expected;
  }
}

// The error of a quantile from 20 000 draws is about 0.6 % of the interval's width, scipy's less.
TEST(BootstrapMean, HasScipysIntervalUpToTheErrorOfDrawing) {
  const auto golden = golden_statistics("bootstrap")["mean"];
  const Estimate found = bootstrap_mean(golden["values"].get<Doubles>(), {.replicas = 20000});
  const double low = golden["low"].get<double>();
  const double high = golden["high"].get<double>();
  EXPECT_NEAR(found.low, low, 0.02 * (high - low));
  EXPECT_NEAR(found.high, high, 0.02 * (high - low));
}

TEST(Bootstrap, TakesTheQuantilesOfTheReplicasValues) {
  double call = -1;
  const auto found = bootstrap(3, [&](Indices) { return call++; });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, -1) << "the sample itself comes first";
  EXPECT_NEAR(found->low, 24.975, 1e-9);
  EXPECT_NEAR(found->high, 974.025, 1e-9);
  EXPECT_EQ(found->undefined_replicas, 0U);
}

TEST(Bootstrap, BeginsWithTheSampleAndDrawsAsManyWithReplacement) {
  std::set<std::vector<size_t>> draws;
  bool repeated = false;
  bootstrap(5, [&](Indices indices) {
    const std::vector<size_t> draw(indices.begin(), indices.end());
    EXPECT_EQ(draw.size(), 5U);
    for (const size_t index : draw) EXPECT_LT(index, 5U);
    if (draws.empty()) {
      EXPECT_EQ(draw, (std::vector<size_t>{0, 1, 2, 3, 4}));
    }
    repeated = repeated || std::set<size_t>(draw.begin(), draw.end()).size() < 5;
    draws.insert(draw);
    return 0;
  });
  EXPECT_TRUE(repeated);
  EXPECT_GT(draws.size(), 700U) << "of 5^5 = 3 125 possible ones";
}

TEST(Bootstrap, DrawsTheSameForEqualSeedsAndOthersForOtherSeeds) {
  const auto draws = [](uint64_t seed) {
    std::vector<size_t> all;
    bootstrap(7,
              [&](Indices indices) {
                all.insert(all.end(), indices.begin(), indices.end());
                return 0;
              },
              {.seed = seed, .replicas = 20});
    return all;
  };
  EXPECT_EQ(draws(1), draws(1));
  EXPECT_NE(draws(1), draws(2));
}

TEST(Bootstrap, KeepsGroupsToThemselves) {
  const std::vector<size_t> sizes = {3, 1, 4};
  grouped_bootstrap(sizes, [&](Indices indices) {
    EXPECT_EQ(indices.size(), 8U);
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(indices[i], 3U);
    EXPECT_EQ(indices[3], 3U);
    for (size_t i = 4; i < 8; ++i) EXPECT_TRUE(indices[i] >= 4 && indices[i] < 8);
    return 0;
  });
  EXPECT_THROW(grouped_bootstrap(std::vector<size_t>{3, 0}, [](Indices) { return 0; }),
               ContractError);
  EXPECT_THROW(grouped_bootstrap({}, [](Indices) { return 0; }), ContractError);
}

TEST(Bootstrap, CountsReplicasWithoutAValue) {
  // Defined only when item 0 is drawn: (1 - 1/4)^4 = 32 % of replicas lack it.
  const auto found = bootstrap(4, [](Indices indices) -> std::optional<double> {
    for (const size_t index : indices)
      if (index == 0) return 2.0;
    return std::nullopt;
  });
  ASSERT_TRUE(found);
  EXPECT_EQ(found->low, 2);
  EXPECT_NEAR(static_cast<double>(found->undefined_replicas), 316, 60);
  EXPECT_FALSE(bootstrap(4, [](Indices) -> std::optional<double> { return std::nullopt; }));
}

TEST(Bootstrap, HasNoWidthWhereTheSampleShowsNoVariation) {
  for (const Doubles& values : {Doubles{0.25}, Doubles(50, 1.0), Doubles(3, -2.0)}) {
    const Estimate found = bootstrap_mean(values);
    EXPECT_EQ(found.value, values[0]);
    EXPECT_EQ(found.low, values[0]);
    EXPECT_EQ(found.high, values[0]);
  }
}

TEST(Bootstrap, RefusesWhatHasNoInterval) {
  EXPECT_THROW(bootstrap_mean({}), ContractError);
  EXPECT_THROW(bootstrap_mean(Doubles{1, NAN}), ContractError);
  EXPECT_THROW(bootstrap_mean(Doubles{1, INFINITY}), ContractError);
  EXPECT_THROW(bootstrap_mean(Doubles{1}, {.replicas = 0}), ContractError);
  EXPECT_THROW(bootstrap_mean(Doubles{1}, {.level = 1}), ContractError);
  EXPECT_THROW(bootstrap_mean(Doubles{1}, {.level = NAN}), ContractError);
  EXPECT_THROW(bootstrap(2, [](Indices) { return NAN; }), ContractError);
  EXPECT_THROW(bootstrap_paired_difference(Doubles{1, 2}, Doubles{1}), ContractError);
  EXPECT_THROW(bootstrap_difference(Doubles{1, 2}, {}), ContractError);
}

// Each pair differs by exactly 1 while the values are spread: only pairing sees it.
TEST(BootstrapDifference, OfPairsIsNarrowerThanOfTwoSamples) {
  Doubles values;
  Doubles others;
  for (int i = 0; i < 40; ++i) {
    values.push_back(i + 1);
    others.push_back(i);
  }
  const Estimate paired = bootstrap_paired_difference(values, others);
  EXPECT_EQ(paired.value, 1);
  EXPECT_EQ(paired.low, 1);
  EXPECT_EQ(paired.high, 1);
  const Estimate apart = bootstrap_difference(values, others);
  EXPECT_DOUBLE_EQ(apart.value, 1);
  // Standard error sqrt(2 * (40² - 1) / 12 / 40) = 2.58; the normal interval is 1 ± 5.06.
  EXPECT_NEAR(apart.low, -4.06, 0.5);
  EXPECT_NEAR(apart.high, 6.06, 0.5);
}

TEST(BootstrapDifference, TakesSamplesOfDifferentSize) {
  const Estimate found = bootstrap_difference(Doubles{2, 2, 2}, Doubles{5});
  EXPECT_EQ(found.value, -3);
  EXPECT_EQ(found.high, -3);
}

}  // namespace
}  // namespace prescript
