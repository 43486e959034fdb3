#pragma once
// Where an axis is labelled.

#include <string>
#include <vector>

#include "report/number_text.h"

namespace prescript {

/// Round numbers over a range.
struct Ticks {
  double low;   // the first and the last of `values`
  double high;  // > low
  std::vector<double> values;
  std::vector<std::string> labels;  // as precise as their distance asks
};

/// About `count` multiples of 1, 2 or 5 times a power of ten that cover [low, high]. A range
/// without width is widened; ends that are not finite count as 0.
Ticks round_ticks(double low, double high, int count, NumberStyle style);

}  // namespace prescript
