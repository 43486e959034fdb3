// The race detector over code that tells of its accesses: what it must find, and that it finds
// nothing in the remedies.

#include <algorithm>
#include <iterator>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/every_kernel.h"
#include "emulator/faults.h"
#include "emulator/race_detector.h"
#include "emulator/schedule.h"

namespace prescript::cuda {
namespace {

using emulator::KernelFault;
using emulator::RaceDetector;
using emulator::RaceReport;

std::vector<PlantedFault> planted_races() {
  std::vector<PlantedFault> races;
  std::ranges::copy_if(planted_faults(), std::back_inserter(races), [](const PlantedFault& fault) {
    return !fault.races.empty();
  });
  return races;
}

class KernelRaceTest : public testing::TestWithParam<PlantedFault> {};
INSTANTIATE_TEST_SUITE_P(Planted,
                         KernelRaceTest,
                         testing::ValuesIn(planted_races()),
                         [](const auto& test) { return test.param.name; });

class KernelRemedyTest : public testing::TestWithParam<PlantedFault> {};
INSTANTIATE_TEST_SUITE_P(Planted,
                         KernelRemedyTest,
                         testing::ValuesIn(planted_faults()),
                         [](const auto& test) { return test.param.name; });

TEST_P(KernelRemedyTest, HasNoRace) {
  for (const emulator::Schedule& schedule : emulator::all_schedules()) {
    const emulator::ScopedSchedule scope(schedule);
    RaceDetector detector;
    GetParam().is_right(false);
    EXPECT_TRUE(detector.reports().empty())
        << emulator::name_of(schedule) << ": " << detector.describe();
  }
}

TEST(RaceDetectorTest, AReportNamesTheLine) {
  for (const PlantedFault& fault : planted_faults()) {
    if (fault.name != "TileOverwritten") continue;
    RaceDetector detector;
    fault.is_right(true);
    EXPECT_THAT(detector.describe(), testing::HasSubstr("faults.cu:"));
  }
}

TEST_P(KernelRaceTest, IsFoundInEverySchedule) {
  const PlantedFault& fault = GetParam();
  for (const emulator::Schedule& schedule : emulator::all_schedules()) {
    const emulator::ScopedSchedule scope(schedule);
    RaceDetector detector;
    try {
      fault.is_right(true);
    } catch (const KernelFault&) {
      // A plain run shows it too; the detector has its say below.
    }
    EXPECT_THAT(
        detector.reports(),
        testing::Contains(testing::Field(&RaceReport::kind, testing::AnyOfArray(fault.races))))
        << emulator::name_of(schedule) << ": " << detector.describe();
  }
}

TEST(EveryKernelTest, HasNoRace) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t guard : {0, 3}) {
      RaceDetector detector;
      emulator::run_every_kernel(dtype, guard);
      EXPECT_TRUE(detector.reports().empty()) << detector.describe();
    }
  }
}

}  // namespace
}  // namespace prescript::cuda
