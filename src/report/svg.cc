#include "report/svg.h"

#include <cmath>
#include <cstdio>

#include "report/html.h"

namespace prescript {

std::string svg_number(double value) {
  if (!std::isfinite(value)) return "0";
  char text[512];
  std::snprintf(text, sizeof text, "%.2f", value);
  std::string number = text;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number == "-0" ? "0" : number;
}

std::string svg_text(std::string_view x,
                     std::string_view y,
                     TextAnchor anchor,
                     std::string_view text) {
  constexpr std::string_view kNames[] = {"start", "middle", "end"};
  return "<text x=\"" + std::string(x) + "\" y=\"" + std::string(y) + "\" text-anchor=\"" +
         std::string(kNames[static_cast<size_t>(anchor)]) + "\">" + escape_html(text) + "</text>";
}

}  // namespace prescript
