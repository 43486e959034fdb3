#pragma once
// AdamW on the rows of a soft prompt.

#include <cstdint>
#include <span>
#include <vector>

namespace prescript {

struct AdamWOptions {
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// The moments of every parameter, in float32, and how many steps they have seen.
struct AdamWState {
  std::vector<float> first_moment;
  std::vector<float> second_moment;
  int64_t num_steps = 0;
};

/// Updates `parameters` in place: decoupled decay first, then the step with bias-corrected moments.
/// Arithmetic is float64, what is stored float32. An empty state is taken as zeros.
/// Source   Loshchilov & Hutter 2019, algorithm 2, in the form of torch.optim.AdamW.
void adamw_step(const AdamWOptions& options,
                double learning_rate,
                std::span<const float> gradient,
                std::span<float> parameters,
                AdamWState& state);

/// The norm of all elements.
double norm_of(std::span<const float> values);

/// Scales `gradient` down to `max_norm` where it is larger; 0: never. `norm` is its norm.
void clip_to_norm(std::span<float> gradient, double norm, double max_norm);

}  // namespace prescript
