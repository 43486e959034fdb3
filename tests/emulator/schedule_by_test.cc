// Linked into a test program, this runs each of its tests in a schedule that the test's name picks:
// together they try all of them.

#include <cstdint>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "emulator/schedule.h"

namespace prescript::emulator {
namespace {

uint64_t hash(const std::string& text) {  // FNV-1a
  uint64_t h = 0xCBF29CE484222325;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return h;
}

class ScheduleByTest final : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo& test) override {
    const std::string name = std::string(test.test_suite_name()) + "." + test.name();
    set_schedule(all_schedules()[hash(name) % all_schedules().size()]);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed()) std::cout << "schedule: " << name_of(current_schedule()) << "\n";
  }
};

[[maybe_unused]] const bool kIsListening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new ScheduleByTest);
  return true;
}();

}  // namespace
}  // namespace prescript::emulator
