#pragma once
// How series and options are told apart: by colour, and without it.

#include <cstddef>
#include <string>
#include <string_view>

#include "report/html.h"

namespace prescript {

/// Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart; dash, marker
/// and filling do it in greyscale.
struct SeriesStyle {
  std::string_view colour;
  std::string_view dash;  // stroke-dasharray; empty: solid
  size_t marker;          // 0 .. 4: circle, square, triangle, diamond, cross
  bool hollow;            // the marker's inside is white
};

/// Styles of the first 35 indices all differ.
SeriesStyle series_style(size_t index);

/// SVG of the style's marker around (x, y).
std::string marker_svg(const SeriesStyle& style, double x, double y);

/// A piece of the line, for a legend.
Html series_swatch(const SeriesStyle& style, bool with_marker);

/// How the option `index` of a stacked bar is filled: in greyscale, neighbours differ in lightness.
struct OptionStyle {
  std::string_view colour;
  std::string_view text_colour;  // legible on it
};

/// Of six, then again from the first.
OptionStyle option_style(size_t index);

/// A square of that colour, for a legend.
Html option_swatch(size_t index);

}  // namespace prescript
