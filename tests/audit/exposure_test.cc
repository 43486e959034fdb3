#include "audit/exposure.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

TEST(Exposure, IsTheRankAmongAlternativesInBits) {
  const std::vector<double> alternatives = {-1, -2, -3, -4, -5, -6, -7};
  EXPECT_EQ(exposure(-0.5, alternatives).rank, 1U);
  EXPECT_EQ(exposure(-0.5, alternatives).bits, 3);
  EXPECT_EQ(exposure(-1.5, alternatives).rank, 2U);
  EXPECT_EQ(exposure(-1.5, alternatives).bits, 2);
  EXPECT_EQ(exposure(-3.5, alternatives).bits, 1);
  EXPECT_EQ(exposure(-9, alternatives).rank, 8U);
  EXPECT_EQ(exposure(-9, alternatives).bits, 0);
}

TEST(Exposure, WhatIsAsLikelyIsNotAhead) {
  const std::vector<double> alternatives = {-1, -1, -1};
  EXPECT_EQ(exposure(-1, alternatives).rank, 1U);
}

// The integral of -log2(x) over [0, 1] is 1 / ln 2; log-likelihoods at random come near it.
TEST(Exposure, ByChanceItIsTheMeanOverAllRanks) {
  EXPECT_EQ(expected_exposure_by_chance(1), 0);
  EXPECT_EQ(expected_exposure_by_chance(2), 0.5);
  EXPECT_NEAR(expected_exposure_by_chance(1 << 20), 1 / std::log(2), 1e-4);
  RandomStream stream(1, "exposure");
  double sum = 0;
  constexpr int kSecrets = 4000;
  for (int i = 0; i < kSecrets; ++i) {
    std::vector<double> alternatives(63);
    for (double& value : alternatives) value = stream.normal();
    sum += exposure(stream.normal(), alternatives).bits;
  }
  EXPECT_NEAR(sum / kSecrets, expected_exposure_by_chance(64), 5 * 1.4 / std::sqrt(kSecrets));
}

TEST(Exposure, NeedsAlternatives) {
  EXPECT_THROW(exposure(-1, {}), ContractError);
}

}  // namespace
}  // namespace prescript
