// Frequencies against those of transformers 5.17 (ROPE_INIT_FUNCTIONS), printed to nine digits.

#include "model/rope.h"

#include <utility>

#include <gtest/gtest.h>

namespace prescript {
namespace {

void expect_frequencies(const Rope& rope, const std::vector<std::pair<size_t, float>>& expected) {
  const std::vector<float> found = frequencies_of(rope, 128);
  ASSERT_EQ(found.size(), 64U);
  for (const auto& [pair, frequency] : expected) {
    EXPECT_NEAR(found[pair] / frequency, 1, 5e-7)
        << "pair " << pair;  // of powers and their scaling
  }
}

TEST(Rope, IsDividedAlikeWhereItIsLinear) {
  expect_frequencies(
      linear_rope(10000, 128, 2.5),
      {{0, 0.400000006F}, {1, 0.346385747F}, {32, 0.00399999972F}, {63, 4.61912787e-5F}});
}

TEST(Rope, OfLlama3LeavesHighFrequenciesAndBlendsThoseBetween) {
  const Rope rope = llama3_rope(500000,
                                128,
                                {.factor = 8,
                                 .low_frequency_factor = 1,
                                 .high_frequency_factor = 4,
                                 .original_positions = 8192});
  EXPECT_EQ(rope.scaling, "llama3");
  EXPECT_EQ(rope.attention_factor, 1);
  expect_frequencies(rope,
                     {{0, 1},
                      {1, 0.814617217F},
                      {16, 0.0376060307F},
                      {28, 0.00321144611F},
                      {32, 0.000524846022F},
                      {36, 7.78465546e-5F},
                      {48, 6.64786967e-6F},
                      {63, 3.06892588e-7F}});
}

TEST(Rope, OfYarnBlendsByTurnsInTheOriginalContext) {
  const Rope rope = yarn_rope(1000000, 128, {.factor = 4, .original_positions = 32768});
  EXPECT_NEAR(rope.attention_factor, 1.138629436111989, 1e-12);
  expect_frequencies(rope,
                     {{0, 1},
                      {1, 0.805842221F},
                      {16, 0.0316227786F},
                      {24, 0.00537532149F},
                      {28, 0.00184827659F},
                      {32, 0.000602941145F},
                      {36, 0.000179841154F},
                      {48, 7.90569356e-6F},
                      {63, 3.10234441e-7F}});
}

TEST(Rope, MayHaveADivisorForEachPair) {
  std::vector<float> divisors(64, 1.0F);
  divisors[32] = 4;
  const Rope rope = divided_rope(10000, 128, divisors);
  expect_frequencies(rope, {{0, 1}, {32, 0.0025F}});
}

}  // namespace
}  // namespace prescript
