#pragma once
// AdamW on the rows of a soft prompt.

#include <span>

#include "train/optimizer.h"

namespace prescript {

struct AdamWOptions {
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Updates `parameters` in place: decoupled decay first, then the step with bias-corrected moments.
/// Arithmetic is float64, what is stored float32. Returns the norm of the change.
/// Source   Loshchilov & Hutter 2019, algorithm 2, in the form of torch.optim.AdamW.
double adamw_step(const AdamWOptions& options,
                  double learning_rate,
                  std::span<const float> gradient,
                  std::span<float> parameters,
                  OptimizerState& state);

}  // namespace prescript
