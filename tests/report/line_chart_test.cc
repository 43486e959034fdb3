#include "report/line_chart.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/markup.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

LineChart chart_of(std::vector<ChartPoint> points, bool steps = false) {
  return {.title = "title",
          .description = "description",
          .x = {.label = "x", .low = 0, .high = 1},
          .y = {.label = "y", .low = 0, .high = 1},
          .series = {{.name = "series", .points = std::move(points)}},
          .steps = steps};
}

/// Data of the path that is drawn as the series' line.
std::string line_of(const std::string& html) {
  const std::smatch match = [&] {
    std::smatch found;
    std::regex_search(html, found, std::regex("<path d=\"([^\"]*)\" fill=\"none\""));
    return found;
  }();
  return match.empty() ? "" : match.str(1);
}

// The plot is between x = 38.9 (three digits and a margin) and 536, y = 294 and 36.
TEST(LineChart, DrawsPointsWhereTheyBelong) {
  const std::string html = line_chart(chart_of({{0, 0}, {0.5, 1}, {1, 0.5}})).source;
  expect_well_formed(html);
  EXPECT_EQ(line_of(html), "M38.9 294L287.45 36L536 165");
}

TEST(LineChart, OfStepsHoldsAValueUpToTheNext) {
  EXPECT_EQ(line_of(line_chart(chart_of({{0, 0}, {0.5, 1}, {1, 0.5}}, true)).source),
            "M38.9 294L287.45 294L287.45 36L536 36L536 165");
}

TEST(LineChart, IsAccessible) {
  const std::string html = line_chart(chart_of({{0, 0}, {1, 1}})).source;
  EXPECT_THAT(html, HasSubstr("role=\"img\"><title>title</title><desc>description</desc>"));
  EXPECT_THAT(html, HasSubstr("<figcaption>"));
  EXPECT_THAT(html, HasSubstr("<ul class=\"legend\"><li>"));
}

TEST(LineChart, LeavesAGapWhereThereIsNoNumber) {
  const std::string html =
      line_chart(chart_of({{0, 0}, {0.2, 0.2}, {0.4, kNone}, {0.6, 0.5}, {1, INFINITY}})).source;
  EXPECT_EQ(count_of(html, "fill=\"none\" stroke=\"#0072b2\""), 2U) << "pieces of the line";
  EXPECT_EQ(count_of(html, "transform=\"translate("), 4U) << "three markers and the legend's";
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf ")));
}

TEST(LineChart, DrawsABandWhereThereIsOne) {
  const std::string band =
      line_chart(chart_of({{0, 0.5, 0.4, 0.6}, {0.5, 0.5, 0.4, 0.6}, {1, 0.5}})).source;
  EXPECT_EQ(count_of(band, "fill-opacity"), 1U);
  const std::string bar = line_chart(chart_of({{0.5, 0.5, 0.25, 0.75}})).source;
  EXPECT_EQ(count_of(bar, "fill-opacity"), 0U);
  EXPECT_THAT(bar, HasSubstr("M287.45 229.5L287.45 100.5")) << "of one point, a bar";
}

TEST(LineChart, WithoutDataSaysSo) {
  for (const LineChart& chart :
       {LineChart{.title = "empty"}, chart_of({}), chart_of({{kNone, 1}})}) {
    const std::string html = line_chart(chart).source;
    expect_well_formed(html);
    EXPECT_THAT(html, HasSubstr("no data"));
  }
  EXPECT_THAT(line_chart(chart_of({{0, 0}})).source, Not(HasSubstr("no data")));
}

TEST(LineChart, ShowsWhatToCompareWith) {
  LineChart chart = chart_of({{0, 0.5}});
  EXPECT_EQ(count_of(line_chart(chart).source, "class=\"reference\""), 0U);
  chart.level = 0.25;
  chart.reference_name = "guessing";
  EXPECT_THAT(line_chart(chart).source,
              HasSubstr("class=\"reference\" d=\"M38.9 229.5L536 229.5\""));
  EXPECT_THAT(line_chart(chart).source, HasSubstr("<bdi>guessing</bdi>"));
  chart.level = {};
  chart.diagonal = true;
  EXPECT_THAT(line_chart(chart).source, HasSubstr("class=\"reference\" d=\"M38.9 294L536 36\""));
}

TEST(LineChart, OfManyPointsHasNoMarkers) {
  std::vector<ChartPoint> points;
  for (int i = 0; i <= 60; ++i) points.push_back({i / 60.0, 0.5});
  EXPECT_EQ(count_of(line_chart(chart_of(points)).source, "transform="), 0U);
  points.resize(60);
  const size_t markers = count_of(line_chart(chart_of(points)).source, "transform=");
  EXPECT_GT(markers, 8U);
  EXPECT_LE(markers, 16U);
}

TEST(LineChart, TakesHugeAndHostileThings) {
  LineChart chart{.title = kHostile,
                  .description = kHostile,
                  .x = {.label = kHostile},
                  .y = {.label = kHostile},
                  .series = {{kHostile, {{-1e300, 1e300}, {0, 5e-324}, {1e300, -1e308}}}},
                  .level = 1e308,
                  .reference_name = kHostile};
  const std::string html = line_chart(chart).source;
  expect_well_formed(html);
  EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(LineChart, CutsOffWhatIsBeyondItsAxes) {
  const std::string html = line_chart(chart_of({{0, 0.5}, {1, 1e9}, {2, 0.5}})).source;
  EXPECT_EQ(count_of(html, "transform=\"translate("), 2U) << "one marker and the legend's";
  EXPECT_THAT(html, HasSubstr("<svg x=\"38.9\" y=\"36\""));
}

}  // namespace
}  // namespace prescript
