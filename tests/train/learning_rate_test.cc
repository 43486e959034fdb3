#include "train/learning_rate.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/json.h"

namespace prescript {
namespace {

ScheduleKind kind_of(const std::string& name) {
  if (name == "linear") return ScheduleKind::kLinear;
  return name == "cosine" ? ScheduleKind::kCosine : ScheduleKind::kConstant;
}

// transformers counts steps from 0 and begins its warm-up with a rate of 0, a step that learns
// nothing. Ours begins with step 1 of it; behind the warm-up the two are the same.
TEST(LearningRate, EqualsTransformersBehindTheWarmUp) {
  const auto cases =
      parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/train/schedules.json", ExitCode::kData);
  ASSERT_EQ(cases.size(), 18U);
  for (const auto& golden : cases) {
    const LearningRateSchedule schedule{.kind = kind_of(golden["kind"].get<std::string>()),
                                        .warmup_steps = golden["warmup_steps"].get<int64_t>(),
                                        .steps = golden["steps"].get<int64_t>()};
    const auto highest = golden["learning_rate"].get<double>();
    for (int64_t step = schedule.warmup_steps + 1; step <= schedule.steps; ++step) {
      const double expected = golden["rates"][static_cast<size_t>(step - 1)].get<double>();
      // Both are float64: a few roundings apart, and a cosine near its end is a difference.
      EXPECT_NEAR(learning_rate_at(schedule, highest, step), expected, 1e-17 + 1e-15 * expected)
          << golden["kind"] << " step " << step << " of " << schedule.steps;
    }
  }
}

TEST(LearningRate, TheWarmUpRisesInEqualStepsToTheHighest) {
  for (const auto kind : {ScheduleKind::kConstant, ScheduleKind::kLinear, ScheduleKind::kCosine}) {
    const LearningRateSchedule schedule{.kind = kind, .warmup_steps = 4, .steps = 10};
    for (int64_t step = 1; step <= 4; ++step) {
      EXPECT_EQ(learning_rate_at(schedule, 0.5, step), 0.125 * static_cast<double>(step));
    }
    EXPECT_EQ(learning_rate_at(schedule, 0.5, 5), 0.5);
  }
}

TEST(LearningRate, EveryStepLearns) {
  for (const auto kind : {ScheduleKind::kConstant, ScheduleKind::kLinear, ScheduleKind::kCosine}) {
    for (const int64_t warmup : {0, 3, 7, 20}) {
      for (int64_t step = 1; step <= 7; ++step) {
        const LearningRateSchedule schedule{.kind = kind, .warmup_steps = warmup, .steps = 7};
        EXPECT_GT(learning_rate_at(schedule, 1, step), 0) << warmup << " " << step;
        EXPECT_LE(learning_rate_at(schedule, 1, step), 1) << warmup << " " << step;
      }
    }
  }
}

TEST(LearningRate, TheFittingOneIsAFifthOfTheNumbersToTwoDigits) {
  EXPECT_EQ(fitting_learning_rate(0.14), 0.028);
  EXPECT_EQ(fitting_learning_rate(0.0123), 0.0025);
  EXPECT_EQ(fitting_learning_rate(4.9975), 1.0) << "a digit more before the point";
  EXPECT_EQ(fitting_learning_rate(0), 0);
  EXPECT_EQ(fitting_learning_rate(1e30), 1000);
}

}  // namespace
}  // namespace prescript
