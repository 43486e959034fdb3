#pragma once
// The pieces of SVG that figures are drawn with.

#include <string>
#include <string_view>

namespace prescript {

/// A coordinate with two decimals at most; 0 for what is not finite.
std::string svg_number(double value);

enum class TextAnchor { kStart, kMiddle, kEnd };

/// A text at (x, y), escaped. `x` and `y` are numbers or percentages ("37.5%").
std::string svg_text(std::string_view x,
                     std::string_view y,
                     TextAnchor anchor,
                     std::string_view text);

}  // namespace prescript
