#pragma once
// The learning rate of each step.

#include <cstdint>

namespace prescript {

enum class ScheduleKind { kConstant, kLinear, kCosine };

struct LearningRateSchedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  int64_t warmup_steps = 0;  // steps over which the rate rises to it
  int64_t steps = 0;         // of the run; the decaying kinds end near 0 with the last
};

/// The rate of `step`, which counts from 1, where the highest is `highest`. The first w =
/// warmup_steps steps take step/w of it; then, with t = (step - 1 - w) / (steps - w): constant 1,
/// linear 1 - t, cosine (1 + cos(pi t)) / 2. The decays are those of transformers.
double learning_rate_at(const LearningRateSchedule& schedule, double highest, int64_t step);

/// By how much of its norm a step at a fitting rate moves a soft prompt.
/// Source   docs/TUNING.md
inline constexpr double kFittingChange = 0.2;

/// The highest rate that suits a soft prompt whose numbers have this root mean square:
/// kFittingChange of it, to two digits, and at most what a recipe may say. A step of AdamW or
/// Adafactor moves a number by about the rate, and a decoder normalises the rows that it reads, so
/// that what a rate does depends on the numbers it moves.
double fitting_learning_rate(double root_mean_square);

}  // namespace prescript
