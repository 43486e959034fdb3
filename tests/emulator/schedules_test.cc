// Every kernel gives the same bits in whatever order its threads run.

#include <gtest/gtest.h>

#include "emulator/every_kernel.h"
#include "emulator/schedule.h"

namespace prescript::emulator {
namespace {

class KernelScheduleTest : public testing::TestWithParam<Schedule> {};
INSTANTIATE_TEST_SUITE_P(Every,
                         KernelScheduleTest,
                         testing::ValuesIn(all_schedules().subspan(1)),
                         [](const auto& test) { return name_of(test.param); });

std::vector<Matrix> results_in(const Schedule& schedule, DType dtype, int64_t guard) {
  const ScopedSchedule scope(schedule);
  return run_every_kernel(dtype, guard);
}

TEST_P(KernelScheduleTest, GivesTheSameBits) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t guard : {0, 3}) {
      const std::vector<Matrix> expected = results_in(all_schedules().front(), dtype, guard);
      const std::vector<Matrix> found = results_in(GetParam(), dtype, guard);
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].values, expected[i].values) << prescript::name_of(dtype) << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace prescript::emulator
