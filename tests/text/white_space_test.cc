#include "text/white_space.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(WhiteSpace, ABlankTextHoldsNothingElse) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \n\u2003\u2028\u0085\u3000\x1c"));
  EXPECT_FALSE(is_blank(" ."));
  EXPECT_FALSE(is_blank("\u200b"));  // of no width, but no white space to Python
  EXPECT_FALSE(is_blank(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace prescript
