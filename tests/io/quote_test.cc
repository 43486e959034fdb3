#include "io/quote.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Quote, ShowsEveryByteSafely) {
  EXPECT_EQ(quote("blk.0 weight"), "\"blk.0 weight\"");
  EXPECT_EQ(quote(std::string_view("\x1b[2J\xff\0", 6)), "\"\\x1b[2J\\xff\\x00\"");
  EXPECT_EQ(quote(std::string(1000, 'a')), "\"" + std::string(80, 'a') + "...\"");
}

}  // namespace
}  // namespace prescript
