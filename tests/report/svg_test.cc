#include "report/svg.h"

#include <cmath>

#include <gtest/gtest.h>

#include "report/markup.h"

namespace prescript {
namespace {

TEST(SvgNumber, HasTwoDecimalsAtMost) {
  EXPECT_EQ(svg_number(1.0), "1");
  EXPECT_EQ(svg_number(-2.5), "-2.5");
  EXPECT_EQ(svg_number(100), "100");
  EXPECT_EQ(svg_number(0.126), "0.13");
  EXPECT_EQ(svg_number(-0.001), "0");
  EXPECT_EQ(svg_number(NAN), "0");
  EXPECT_EQ(svg_number(-INFINITY), "0");
}

TEST(SvgText, IsEscaped) {
  EXPECT_EQ(svg_text("1", "50%", TextAnchor::kEnd, "a<b"),
            "<text x=\"1\" y=\"50%\" text-anchor=\"end\">a&lt;b</text>");
  expect_well_formed(svg_text("1", "1", TextAnchor::kMiddle, kHostile));
}

}  // namespace
}  // namespace prescript
