#pragma once
// What a backend could reach, for shares of it.

#include "ops/ops.h"

namespace prescript {

/// FLOP/s that `ops` can reach on operands of `dtype`. Of the processor as measure_cpu_peak finds
/// it in a tenth of a second; of a card by large products of random numbers, which take more power
/// and so a lower clock than zeros.
double measure_peak(Ops& ops, DType dtype);

}  // namespace prescript
