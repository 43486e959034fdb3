#pragma once
// What the optimizers of a soft prompt have in common: their names, and what they remember.

#include <cstdint>
#include <span>
#include <vector>

namespace prescript {

enum class OptimizerKind { kAdamW, kAdafactor };

/// Moments of a gradient [P, D] in float32, and how many steps they have seen. An optimizer fills
/// its own; an empty one is taken as zeros.
struct OptimizerState {
  std::vector<float> first_moment = {};   // of AdamW, [P, D]
  std::vector<float> second_moment = {};  // of AdamW, [P, D]
  std::vector<float> row_moment = {};     // of Adafactor, [P]
  std::vector<float> column_moment = {};  // of Adafactor, [D]
  int64_t num_steps = 0;
};

/// The norm of all elements.
double norm_of(std::span<const float> values);

/// Scales `gradient` down to `max_norm` where it is larger; 0: never. `norm` is its norm.
void clip_to_norm(std::span<float> gradient, double norm, double max_norm);

}  // namespace prescript
