#pragma once
// Adafactor on the rows of a soft prompt, as Lester et al. used it.

#include <cstdint>
#include <span>

#include "train/optimizer.h"

namespace prescript {

struct AdafactorOptions {
  double weight_decay = 0;
  double decay_exponent = 0.8;  // of the second moment: step t keeps 1 - t^-0.8 of it
  double clip_threshold = 1;    // of the root mean square of an update
  double epsilon = 1e-30;       // added to squares of the gradient
};

/// Updates `parameters_PD` in place: second moments factored into means over rows and columns, an
/// update whose root mean square is clipped, no first moment, no scaling by the parameters' own
/// size; decay decoupled and of the values before the step. Arithmetic is float64, what is stored
/// float32. Returns the norm of the change.
/// Source   Shazeer & Stern 2018, algorithms 4 and 5, without relative step sizes, in the form of
///          transformers.optimization.Adafactor.
double adafactor_step(const AdafactorOptions& options,
                      double learning_rate,
                      int64_t hidden_size,
                      std::span<const float> gradient_PD,
                      std::span<float> parameters_PD,
                      OptimizerState& state);

}  // namespace prescript
