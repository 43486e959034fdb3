#pragma once
// float32 numbers as training stores them, to be held against float64 ones.

#include <vector>

namespace prescript {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

inline constexpr double kRounding = 0x1p-24;  // of a float32 number

inline Doubles widened(const Floats& values) {
  return {values.begin(), values.end()};
}

}  // namespace prescript
