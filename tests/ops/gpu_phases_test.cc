// Seconds by the card's clock.

#include "ops/gpu_phases.h"

#include <gtest/gtest.h>

#include "ops/ops_test.h"

namespace prescript {
namespace {

class GpuPhasesTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         GpuPhasesTest,
                         testing::Values(backends()[1]),
                         testing::PrintToStringParamName());

TEST_P(GpuPhasesTest, TellsTheSecondsOfEachPhaseOnce) {
  const Tensor x = bench().take(5000, 5000, DType::kFloat32);
  const Tensor y = bench().take(5000, 5000, DType::kFloat32);
  ops().zero(x);
  ops().take_phase_seconds();
  ops().begin_phase(Phase::kForward);
  ops().copy(x, y);
  ops().begin_phase(Phase::kBackward);
  for (int i = 0; i < 100; ++i) ops().copy(x, y);
  ops().begin_phase({});
  for (int i = 0; i < 100; ++i) ops().copy(x, y);
  const PhaseSeconds seconds = ops().take_phase_seconds();
  EXPECT_GT(seconds[static_cast<size_t>(Phase::kForward)], 0);
  EXPECT_GT(seconds[static_cast<size_t>(Phase::kBackward)],
            5 * seconds[static_cast<size_t>(Phase::kForward)]);
  EXPECT_EQ(seconds[static_cast<size_t>(Phase::kHead)], 0);
  EXPECT_EQ(ops().take_phase_seconds(), PhaseSeconds{});
}

/// As where a model generates for hours, and nobody asks for the seconds.
TEST_P(GpuPhasesTest, LosesNothingOfMorePhasesThanItHolds) {
  const Tensor x = bench().take(1000, 1000, DType::kFloat32);
  const Tensor y = bench().take(1000, 1000, DType::kFloat32);
  const size_t count = 2 * GpuPhases::kMostMarks + 10;
  const auto seconds_of = [&](bool in_one) {
    ops().take_phase_seconds();
    ops().begin_phase(Phase::kForward);
    for (size_t i = 0; i < count; ++i) {
      ops().copy(x, y);
      if (!in_one) ops().begin_phase(Phase::kForward);
    }
    return ops().take_phase_seconds()[static_cast<size_t>(Phase::kForward)];
  };
  ops().zero(x);
  seconds_of(true);
  const double in_one = seconds_of(true);
  EXPECT_GT(in_one, 0);
  EXPECT_GT(seconds_of(false), 0.8 * in_one);
}

}  // namespace
}  // namespace prescript
