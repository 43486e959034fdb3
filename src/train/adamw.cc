#include "train/adamw.h"

#include <cmath>
#include <string>

#include "base/error.h"

namespace prescript {

double adamw_step(const AdamWOptions& options,
                  double learning_rate,
                  std::span<const float> gradient,
                  std::span<float> parameters,
                  OptimizerState& state) {
  PRESCRIPT_CHECK(gradient.size() == parameters.size(), "gradient and parameters");
  if (state.num_steps == 0) {
    state.first_moment.assign(parameters.size(), 0);
    state.second_moment.assign(parameters.size(), 0);
  }
  PRESCRIPT_CHECK(state.first_moment.size() == parameters.size() &&
                      state.second_moment.size() == parameters.size(),
                  "moments of " + std::to_string(state.first_moment.size()) + " parameters");
  ++state.num_steps;
  const auto t = static_cast<double>(state.num_steps);
  const double correction1 = 1 - std::pow(options.beta1, t);
  const double correction2 = 1 - std::pow(options.beta2, t);
  double squares = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const double g = gradient[i];
    const double m = options.beta1 * state.first_moment[i] + (1 - options.beta1) * g;
    const double v = options.beta2 * state.second_moment[i] + (1 - options.beta2) * g * g;
    state.first_moment[i] = static_cast<float>(m);
    state.second_moment[i] = static_cast<float>(v);
    const double decayed = parameters[i] * (1 - learning_rate * options.weight_decay);
    const double update = (m / correction1) / (std::sqrt(v / correction2) + options.epsilon);
    const double before = parameters[i];
    parameters[i] = static_cast<float>(decayed - learning_rate * update);
    squares += std::pow(parameters[i] - before, 2);
  }
  return std::sqrt(squares);
}

}  // namespace prescript
