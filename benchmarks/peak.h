#pragma once
// What this processor can do.

#include "base/tensor.h"

namespace prescript::cpu {

/// FLOP/s on operands of `dtype` with as many threads as LibTorch would take: the larger of
/// multiply-adds in registers and of tiles of the product kernel on operands in the first-level
/// cache, a second each.
double measure_peak(DType dtype);

}  // namespace prescript::cpu
