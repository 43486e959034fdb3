#include "report/series_style.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "report/markup.h"

namespace prescript {
namespace {

TEST(SeriesStyle, DiffersAmong35) {
  std::set<std::tuple<std::string_view, std::string_view>> lines;
  for (size_t i = 0; i < 35; ++i) lines.insert({series_style(i).colour, series_style(i).dash});
  EXPECT_EQ(lines.size(), 35U);
  expect_well_formed(series_swatch(series_style(1000), true).source);
}

TEST(SeriesStyle, TellsFiveApartWithoutColour) {
  std::set<std::string_view> dashes;
  std::set<size_t> markers;
  for (size_t i = 0; i < 5; ++i) {
    dashes.insert(series_style(i).dash);
    markers.insert(series_style(i).marker);
  }
  EXPECT_EQ(dashes.size(), 5U);
  EXPECT_EQ(markers.size(), 5U);
}

/// Relative luminance of "#rrggbb" or "#rgb" (WCAG 2.2).
double luminance(std::string_view colour) {
  std::string digits(colour.substr(1));
  if (digits.size() == 3)
    digits = {digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]};
  double sum = 0;
  const double weights[] = {0.2126, 0.7152, 0.0722};
  for (size_t channel = 0; channel < 3; ++channel) {
    const double value = std::stoi(digits.substr(2 * channel, 2), nullptr, 16) / 255.0;
    sum += weights[channel] *
           (value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
  }
  return sum;
}

double contrast(std::string_view a, std::string_view b) {
  const double x = luminance(a);
  const double y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

TEST(OptionStyle, DiffersInGreyscaleFromItsNeighbours) {
  for (size_t i = 0; i < 5; ++i)
    EXPECT_GT(contrast(option_style(i).colour, option_style(i + 1).colour), 1.5) << i;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < i; ++j)
      EXPECT_GT(contrast(option_style(i).colour, option_style(j).colour), 1.5) << i << j;
}

TEST(OptionStyle, HasLegibleText) {
  for (size_t i = 0; i < 6; ++i)
    EXPECT_GT(contrast(option_style(i).colour, option_style(i).text_colour), 3.8) << i;
  expect_well_formed(option_swatch(1000).source);
}

}  // namespace
}  // namespace prescript
