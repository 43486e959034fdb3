#include "base/counted.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "step"), "0 steps");
  EXPECT_EQ(counted(size_t{1}, "virtual token"), "1 virtual token");
  EXPECT_EQ(counted(int64_t{2}, "exemplar"), "2 exemplars");
}

}  // namespace
}  // namespace prescript
