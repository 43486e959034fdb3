// Every planted fault is seen by a plain run as often as it is claimed, and its remedy is right.

#include "emulator/faults.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/schedule.h"

namespace prescript::cuda {
namespace {

using emulator::KernelFault;
using Shown = PlantedFault::Shown;

#ifdef __SANITIZE_ADDRESS__
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

/// All that a run on this host can show: a misaligned vector is undefined, which only a sanitizer
/// tells.
std::vector<PlantedFault> faults_to_show() {
  std::vector<PlantedFault> faults = planted_faults();
  std::erase_if(faults, [](const PlantedFault& fault) {
    return !kIsSanitized && fault.name == "MisalignedVector";
  });
  return faults;
}

class KernelFaultTest : public testing::TestWithParam<PlantedFault> {};
INSTANTIATE_TEST_SUITE_P(Planted,
                         KernelFaultTest,
                         testing::ValuesIn(faults_to_show()),
                         [](const auto& test) { return test.param.name; });

TEST_P(KernelFaultTest, TheRemedyIsRightInEverySchedule) {
  for (const emulator::Schedule& schedule : emulator::all_schedules()) {
    const emulator::ScopedSchedule scope(schedule);
    EXPECT_TRUE(GetParam().is_right(false)) << emulator::name_of(schedule);
  }
}

TEST_P(KernelFaultTest, APlainRunShowsTheFault) {
  const PlantedFault& fault = GetParam();
  if (kIsSanitized && fault.ends_sanitized_build) {
    EXPECT_DEATH(fault.is_right(true), "Sanitizer|runtime error");
    return;
  }
  size_t num_shown = 0;
  for (const emulator::Schedule& schedule : emulator::all_schedules()) {
    const emulator::ScopedSchedule scope(schedule);
    try {
      if (!fault.is_right(true)) ++num_shown;
    } catch (const KernelFault& e) {
      ++num_shown;
      EXPECT_THAT(e.what(), testing::HasSubstr(fault.message));
      EXPECT_FALSE(fault.message.empty()) << e.what();
    }
  }
  const size_t num_schedules = emulator::all_schedules().size();
  if (fault.by_running == Shown::kAlways) {
    EXPECT_EQ(num_shown, num_schedules);
  } else if (fault.by_running == Shown::kNever) {
    EXPECT_EQ(num_shown, 0U);
  } else {
    EXPECT_GT(num_shown, 0U);
    EXPECT_LT(num_shown, num_schedules);
  }
}

}  // namespace
}  // namespace prescript::cuda
