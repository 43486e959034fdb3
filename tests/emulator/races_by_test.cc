// Linked into a test program, this lets no test pass in whose kernels the race detector finds
// something.

#include <gtest/gtest.h>

#include <memory>

#include "emulator/race_detector.h"

namespace prescript::emulator {
namespace {

class RacesByTest final : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo&) override {
    detector_ = std::make_unique<RaceDetector>();
  }
  void OnTestEnd(const testing::TestInfo&) override {
    EXPECT_TRUE(detector_->reports().empty()) << detector_->describe();
    detector_.reset();
  }

 private:
  std::unique_ptr<RaceDetector> detector_;
};

[[maybe_unused]] const bool kIsListening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new RacesByTest);
  return true;
}();

}  // namespace
}  // namespace prescript::emulator
