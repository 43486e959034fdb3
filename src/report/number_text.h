#pragma once
// Numbers as a reader wants them.

#include <cstdint>
#include <string>

#include "statistics/estimate.h"

namespace prescript {

enum class NumberStyle {
  kPercent,  // a share: 0.619 is "61.9 %"
  kPoints,   // a difference of shares, in percentage points: 0.032 is "+3.2"
  kPlain,    // three decimals below 10, one below 1 000, else none
};

/// What is not a number is an en dash. The minus is U+2212; spaces within do not break.
std::string number_text(double value, NumberStyle style);

/// "[58.0, 66.1]": both ends without the unit.
std::string interval_text(const Estimate& estimate, NumberStyle style);

/// "0.034", "< 0.001".
std::string p_value_text(double p);

/// "1 273", with a narrow space that does not break.
std::string count_text(int64_t count);

}  // namespace prescript
