#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {
namespace {

TEST(RandomStream, PhiloxMatchesTheAuthorsTestVectors) {
  // kat_vectors of Random123.
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, NamedStreamHasTheBitsOfAnIndependentImplementation) {
  // Computed in Python with exact integers.
  RandomStream stream(1, "epoch order", 3);
  for (const uint64_t expected :
       {0x2357923d97c12363u, 0x91d7a013e8f30d83u, 0x69b7a7d9b26f1d9du, 0x1ac04dbdd4f1b1d4u})
    EXPECT_EQ(stream.next_u64(), expected);
  RandomStream normals(1, "epoch order", 3);
  EXPECT_NEAR(normals.normal(), -1.0844530838079787, 1e-15);
  EXPECT_NEAR(normals.normal(), -0.19736536840036567, 1e-15);
}

TEST(RandomStream, EveryPartOfTheNameChangesTheStream) {
  std::set<uint64_t> firsts;
  for (const uint64_t seed : {0u, 1u, 2u})
    for (const char* purpose : {"", "init", "epoch order"})
      for (const uint64_t index : {0u, 1u, 2u})
        firsts.insert(RandomStream(seed, purpose, index).next_u64());
  EXPECT_EQ(firsts.size(), 27u);
}

TEST(RandomStream, UniformNumbersFillTheUnitInterval) {
  RandomStream stream(7, "test");
  std::array<int, 10> counts{};
  for (int i = 0; i < 100000; ++i) {
    const double x = stream.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    ++counts[static_cast<size_t>(x * 10)];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);  // 5 standard deviations
}

TEST(RandomStream, NormalNumbersFollowTheNormalDistribution) {
  RandomStream stream(7, "test");
  std::vector<double> x(100000);
  for (double& value : x) value = stream.normal();
  std::sort(x.begin(), x.end());
  double distance = 0;  // Kolmogorov and Smirnov's
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = std::erfc(-x[i] / std::sqrt(2.0)) / 2;
    distance = std::max(distance, std::abs(expected - (static_cast<double>(i) + 0.5) / 1e5));
  }
  EXPECT_LT(distance, 1.95 / std::sqrt(1e5));  // chance 0.001
}

TEST(RandomStream, BelowIsUnbiasedAndBounded) {
  RandomStream stream(7, "test");
  std::map<uint64_t, int> counts;
  for (int i = 0; i < 60000; ++i) ++counts[stream.below(6)];
  ASSERT_EQ(counts.size(), 6u);
  EXPECT_EQ(counts.rbegin()->first, 5u);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, 10000, 500);
  // Two thirds of all 64-bit numbers: a plain remainder would give the lower half twice as often.
  const uint64_t n = uint64_t{3} << 62;
  int lower = 0;
  for (int i = 0; i < 10000; ++i) lower += stream.below(n) < n / 2;
  EXPECT_NEAR(lower, 5000, 250);
  EXPECT_EQ(stream.below(1), 0u);
  EXPECT_THROW(stream.below(0), ContractError);
}

TEST(ShuffledIndices, IsAPermutationAndReachesAllOfThem) {
  std::map<std::vector<size_t>, int> counts;
  for (uint64_t i = 0; i < 6000; ++i) ++counts[shuffled_indices(3, RandomStream(1, "test", i))];
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) {
    EXPECT_TRUE(
        std::is_permutation(order.begin(), order.end(), std::vector<size_t>{0, 1, 2}.begin()));
    EXPECT_NEAR(count, 1000, 150);
  }
  EXPECT_TRUE(shuffled_indices(0, RandomStream(1, "test")).empty());
}

}  // namespace
}  // namespace prescript
