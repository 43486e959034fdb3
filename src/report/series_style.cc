#include "report/series_style.h"

#include <array>

#include "report/svg.h"

namespace prescript {
namespace {

// Without yellow, which is hardly seen as a line on white.
constexpr std::array<std::string_view, 7> kColours = {
    "#0072b2", "#d55e00", "#000000", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"};
constexpr std::array<std::string_view, 5> kDashes = {"", "7 3", "2 2.5", "9 3 2 3", "14 3"};
constexpr size_t kNumMarkers = 5;

// Their lightness (CIE L*) is 46, 70, 89, 27, 86 and 53.
constexpr std::array<OptionStyle, 6> kOptions = {{{"#0072b2", "#fff"},
                                                  {"#56b4e9", "#000"},
                                                  {"#f0e442", "#000"},
                                                  {"#404040", "#fff"},
                                                  {"#d9d9d9", "#000"},
                                                  {"#d55e00", "#fff"}}};

/// The outline of a marker around (0, 0), as data of a path.
constexpr std::array<std::string_view, kNumMarkers> kOutlines = {
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
    "M-3.5 -3.5H3.5V3.5H-3.5Z",
    "M0 -4.5L4.5 3.5H-4.5Z",
    "M0 -5L5 0L0 5L-5 0Z",
    "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5"};

}  // namespace

SeriesStyle series_style(size_t index) {
  const size_t round = index / kColours.size();
  return {.colour = kColours[index % kColours.size()],
          .dash = kDashes[(index + round) % kDashes.size()],
          .marker = (index + round) % kNumMarkers,
          .hollow = (index + round) % 2 == 1};
}

std::string marker_svg(const SeriesStyle& style, double x, double y) {
  return "<path d=\"" + std::string(kOutlines[style.marker]) + "\" transform=\"translate(" +
         svg_number(x) + " " + svg_number(y) + ")\" stroke=\"" + std::string(style.colour) +
         "\" stroke-width=\"1.5\" fill=\"" + std::string(style.hollow ? "#fff" : style.colour) +
         "\"/>";
}

Html series_swatch(const SeriesStyle& style, bool with_marker) {
  return {
      "<svg class=\"swatch\" width=\"44\" height=\"12\" aria-hidden=\"true\"><path d=\"M0 6H44\" "
      "stroke=\"" +
      std::string(style.colour) + "\" stroke-width=\"2\" stroke-dasharray=\"" +
      std::string(style.dash) + "\"/>" + (with_marker ? marker_svg(style, 22, 6) : "") + "</svg>"};
}

OptionStyle option_style(size_t index) {
  return kOptions[index % kOptions.size()];
}

Html option_swatch(size_t index) {
  return {
      "<svg class=\"swatch\" width=\"12\" height=\"12\" aria-hidden=\"true\"><rect width=\"12\" "
      "height=\"12\" fill=\"" +
      std::string(option_style(index).colour) + "\"/></svg>"};
}

}  // namespace prescript
