#include "rating/rater.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Rater, CodesAreOfOneSpelling) {
  EXPECT_EQ(rater_code("r7"), "R7");
  EXPECT_EQ(rater_code("  Ward-3_b "), "WARD-3_B");
  EXPECT_EQ(rater_code(std::string(32, 'x')), std::string(32, 'X'));
  for (const std::string& text : {std::string(),
                                  std::string("  "),
                                  std::string(33, 'x'),
                                  std::string("Jane Doe"),
                                  std::string("a/b"),
                                  std::string("ä"),
                                  std::string("=1+1"),
                                  std::string("a\0b", 3),
                                  std::string("..")}) {
    EXPECT_EQ(rater_code(text), "") << text;
  }
}

TEST(Rater, TimesAreUtc) {
  EXPECT_TRUE(is_utc_time(utc_now()));
  EXPECT_TRUE(is_utc_time("2026-11-27T17:40:00Z"));
  for (const char* text : {"", "2026-11-27", "2026-11-27T17:40:00", "2026-11-27 17:40:00Z", "x"}) {
    EXPECT_FALSE(is_utc_time(text)) << text;
  }
}

}  // namespace
}  // namespace prescript
