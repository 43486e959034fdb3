#include "text/white_space.h"

#include <string>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(WhiteSpace, IsTakenFromBothEndsOnly) {
  EXPECT_EQ(stripped(" \t\r\n a  b\u00a0é \u3000\x1c"), "a  b\u00a0é");
  EXPECT_EQ(stripped("é"), "é");
  EXPECT_EQ(stripped("\u200b x"), "\u200b x");  // of no width, but no white space to Python
  EXPECT_EQ(stripped(std::string_view("\0 ", 2)), std::string_view("\0", 1));
}

TEST(WhiteSpace, ABlankTextHoldsNothingElse) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \n\u2003\u2028\u0085"));
  EXPECT_FALSE(is_blank(" ."));
}

}  // namespace
}  // namespace prescript
