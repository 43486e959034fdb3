#pragma once
// How long steps take on this machine, from short loops over the operations of a layer.

#include "model/frozen_weights.h"
#include "train/run_work.h"

namespace prescript {

/// FLOP/s by what they are spent on.
struct PhaseRates {
  double products = 1;
  double attention = 1;
  double head = 1;
  double row_layers = 1;  // rows a second through what a layer does to single rows
};

struct StepRates {
  PhaseRates forward;
  PhaseRates backward;
  double laid_out = 0;              // weights a second; 0: they are held in memory
  bool lays_out_meanwhile = false;  // while others are multiplied by
};

/// Measures the backend for less than a second, at the extents of the model and the passes of
/// `step`, both scaled down where they are large. `peak_flops_per_second` tells how much fits in.
/// The times of a card include its launches, and end when its work does.
/// Reads no weight.
StepRates measure_rates(Ops& ops,
                        const DecoderConfig& config,
                        DType dtype,
                        const Schedule& step,
                        double peak_flops_per_second);

/// Weights a second from where `format` has them, their file or blocks in the backend's memory,
/// into the layout of products, by some rows of one layer.
double measure_layout_rate(Ops& ops,
                           const TensorSource& source,
                           const DecoderConfig& config,
                           DType dtype,
                           WeightFormat format);

/// Seconds that `work` takes at these rates.
double seconds_of(const Work& work, const StepRates& rates);

}  // namespace prescript
