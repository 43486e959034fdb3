#include "report/ticks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace prescript {
namespace {

constexpr double kLargest = 1e300;  // whose differences are finite
constexpr double kSmallest = 1e-300;
constexpr double kLeastRelativeWidth = 1e-9;  // below it, neighbouring ticks would be equal

double within_reach(double value) {
  return std::isfinite(value) ? std::clamp(value, -kLargest, kLargest) : 0;
}

/// The least of 1, 2, 5, 10 times a power of ten that is at least `width`.
double round_step(double width) {
  const double power = std::pow(10, std::floor(std::log10(width)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= width * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::string tick_label(double value, double step, NumberStyle style) {
  const double scale = style == NumberStyle::kPlain ? 1 : 100;
  value *= scale;
  step *= scale;
  char text[64];
  if (std::abs(value) >= 1e6 || step < 1e-4) {
    std::snprintf(text, sizeof text, "%.4g", value);
  } else {
    const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
  }
  std::string label = text;
  if (label.starts_with('-'))
    label = "−" + label.substr(1);
  else if (style == NumberStyle::kPoints && value > 0)
    label = "+" + label;
  return style == NumberStyle::kPercent ? label + "\u00a0%" : label;
}

}  // namespace

Ticks round_ticks(double low, double high, int count, NumberStyle style) {
  low = within_reach(low);
  high = within_reach(high);
  if (low > high) std::swap(low, high);
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= std::max(size * kLeastRelativeWidth, kSmallest)) {
    const double margin = size > kSmallest ? size / 10 : 0.5;
    low -= margin;
    high += margin;
  }
  const double step = round_step((high - low) / count);
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  Ticks ticks{.low = 0, .high = 0, .values = {}, .labels = {}};
  for (int64_t i = first; i <= last; ++i) {
    ticks.values.push_back(static_cast<double>(i) * step);
    ticks.labels.push_back(tick_label(ticks.values.back(), step, style));
  }
  ticks.low = ticks.values.front();
  ticks.high = ticks.values.back();
  return ticks;
}

}  // namespace prescript
