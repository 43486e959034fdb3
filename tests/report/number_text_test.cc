#include "report/number_text.h"

#include <cmath>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(NumberText, OfShares) {
  EXPECT_EQ(number_text(0.6194, NumberStyle::kPercent), "61.9\u00a0%");
  EXPECT_EQ(number_text(1, NumberStyle::kPercent), "100.0\u00a0%");
  EXPECT_EQ(number_text(0, NumberStyle::kPercent), "0.0\u00a0%");
  EXPECT_EQ(number_text(NAN, NumberStyle::kPercent), "–");
}

TEST(NumberText, OfDifferencesHasASign) {
  EXPECT_EQ(number_text(0.032, NumberStyle::kPoints), "+3.2");
  EXPECT_EQ(number_text(-0.032, NumberStyle::kPoints), "−3.2");
  EXPECT_EQ(number_text(0, NumberStyle::kPoints), "0.0");
  EXPECT_EQ(number_text(-0.0001, NumberStyle::kPoints), "0.0") << "no minus before zero";
}

TEST(NumberText, OfPlainNumbersKeepsWhatMatters) {
  EXPECT_EQ(number_text(0.12345, NumberStyle::kPlain), "0.123");
  EXPECT_EQ(number_text(-1.5, NumberStyle::kPlain), "−1.500");
  EXPECT_EQ(number_text(231.44, NumberStyle::kPlain), "231.4");
  EXPECT_EQ(number_text(9999.4, NumberStyle::kPlain), "9999");
  EXPECT_EQ(number_text(1234567, NumberStyle::kPlain), "1\u202f234\u202f567");
  EXPECT_EQ(number_text(1e300, NumberStyle::kPlain), "1e+300");
  EXPECT_EQ(number_text(INFINITY, NumberStyle::kPlain), "–");
}

TEST(IntervalText, HasBothEndsWithoutTheUnit) {
  EXPECT_EQ(interval_text({.value = 0.5, .low = 0.25, .high = 1}, NumberStyle::kPercent),
            "[25.0,\u00a0100.0]");
  EXPECT_EQ(interval_text({.value = 0, .low = -0.1, .high = 0.1}, NumberStyle::kPoints),
            "[−10.0,\u00a0+10.0]");
}

TEST(PValueText, StopsAtAThousandth) {
  EXPECT_EQ(p_value_text(0.0342), "0.034");
  EXPECT_EQ(p_value_text(1), "1.000");
  EXPECT_EQ(p_value_text(0.00099), "<\u00a00.001");
  EXPECT_EQ(p_value_text(0), "<\u00a00.001");
}

TEST(CountText, GroupsDigitsFromFiveOn) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(9999), "9999");
  EXPECT_EQ(count_text(12345), "12\u202f345");
  EXPECT_EQ(count_text(-1234567), "−1\u202f234\u202f567");
}

}  // namespace
}  // namespace prescript
