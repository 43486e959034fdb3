#include "train/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

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

}  // namespace prescript
