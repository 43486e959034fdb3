#include "train/learning_rate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace prescript {

double learning_rate_at(const LearningRateSchedule& schedule, double highest, int64_t step) {
  const int64_t warmup = schedule.warmup_steps;
  if (step <= warmup) {
    return highest * static_cast<double>(step) / static_cast<double>(warmup);
  }
  const double t = static_cast<double>(step - 1 - warmup) /
                   static_cast<double>(std::max<int64_t>(1, schedule.steps - warmup));
  switch (schedule.kind) {
    case ScheduleKind::kLinear:
      return highest * (1 - t);
    case ScheduleKind::kCosine:
      return highest * 0.5 * (1 + std::cos(std::numbers::pi * t));
    case ScheduleKind::kConstant:
      break;
  }
  return highest;
}

double fitting_learning_rate(double root_mean_square) {
  constexpr double kHighest = 1000;  // that a recipe may say
  constexpr int kDigitsBehindTheFirst = 1;
  std::array<char, 32> text{};  // rounded in decimal, as it will be read from a recipe
  const auto written = std::to_chars(text.data(),
                                     text.data() + text.size(),
                                     std::min(kFittingChange * root_mean_square, kHighest),
                                     std::chars_format::scientific,
                                     kDigitsBehindTheFirst);
  double rate = 0;
  const auto read = std::from_chars(text.data(), written.ptr, rate);
  PRESCRIPT_CHECK(read.ec == std::errc(), "a rate of two digits");
  return rate;
}

}  // namespace prescript
