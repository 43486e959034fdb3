#include "train/adafactor.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"

namespace prescript {
namespace {

/// Takes the sums of squares of one step, over `count` elements each, into the moments.
void advance(std::vector<float>& moments,
             const std::vector<double>& sums,
             double count,
             double kept) {
  for (size_t i = 0; i < moments.size(); ++i) {
    moments[i] = static_cast<float>(kept * moments[i] + (1 - kept) * sums[i] / count);
  }
}

}  // namespace

double adafactor_step(const AdafactorOptions& options,
                      double learning_rate,
                      int64_t hidden_size,
                      std::span<const float> gradient_PD,
                      std::span<float> parameters_PD,
                      OptimizerState& state) {
  const auto D = static_cast<size_t>(hidden_size);
  const size_t P = parameters_PD.size() / D;
  PRESCRIPT_CHECK(P * D == parameters_PD.size() && gradient_PD.size() == parameters_PD.size(),
                  "gradient and parameters");
  if (state.num_steps == 0) {
    state.row_moment.assign(P, 0);
    state.column_moment.assign(D, 0);
  }
  PRESCRIPT_CHECK(state.row_moment.size() == P && state.column_moment.size() == D,
                  "moments of " + std::to_string(state.row_moment.size()) + " rows and " +
                      std::to_string(state.column_moment.size()) + " columns");
  ++state.num_steps;
  const double kept = 1 - std::pow(static_cast<double>(state.num_steps), -options.decay_exponent);
  std::vector<double> row_sums(P);
  std::vector<double> column_sums(D);
  for (size_t i = 0; i < gradient_PD.size(); ++i) {
    const double square = std::pow(static_cast<double>(gradient_PD[i]), 2) + options.epsilon;
    row_sums[i / D] += square;
    column_sums[i % D] += square;
  }
  advance(state.row_moment, row_sums, static_cast<double>(D), kept);
  advance(state.column_moment, column_sums, static_cast<double>(P), kept);

  const std::vector<float>& rows = state.row_moment;
  const double mean_of_rows =
      std::accumulate(rows.begin(), rows.end(), 0.0) / static_cast<double>(P);
  const auto update_at = [&](size_t i) {
    return gradient_PD[i] / std::sqrt(rows[i / D] / mean_of_rows * state.column_moment[i % D]);
  };
  double squares = 0;
  for (size_t i = 0; i < gradient_PD.size(); ++i) squares += std::pow(update_at(i), 2);
  const double root_mean_square = std::sqrt(squares / static_cast<double>(gradient_PD.size()));
  const double rate = learning_rate / std::max(1.0, root_mean_square / options.clip_threshold);
  double squares_of_change = 0;
  for (size_t i = 0; i < parameters_PD.size(); ++i) {
    const double before = parameters_PD[i];
    const double decayed = before * (1 - learning_rate * options.weight_decay);
    parameters_PD[i] = static_cast<float>(decayed - rate * update_at(i));
    squares_of_change += std::pow(parameters_PD[i] - before, 2);
  }
  return std::sqrt(squares_of_change);
}

}  // namespace prescript
