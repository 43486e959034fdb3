#include "base/secret_seed.h"

#include <set>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(SecretSeed, IsAnotherEveryTime) {
  std::set<uint64_t> seeds;
  for (int i = 0; i < 100; ++i) seeds.insert(secret_seed());
  EXPECT_EQ(seeds.size(), 100U);
}

}  // namespace
}  // namespace prescript
