#include "infer/compute_device.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

const std::string kAuto = cuda_is_available() ? "cuda" : "cpu";

TEST(ComputeDevice, AutoIsACardWhereThereIsOne) {
  EXPECT_EQ(settle_device("auto"), kAuto);
  EXPECT_EQ(settle_device("cpu"), "cpu");
  EXPECT_EQ(settle_device("cuda"), "cuda") << "what is asked for is not changed";
  EXPECT_EQ(make_ops("auto", 1)->name(), kAuto);
  EXPECT_EQ(make_ops("cpu", 0)->name(), "cpu");
}

TEST(ComputeDevice, RefusesWhatIsUnknownOrNotHere) {
  EXPECT_NO_THROW(check_device("cpu"));
  EXPECT_NO_THROW(check_device("auto"));
  expect_input_error(ExitCode::kUsage, "\"tpu\" is not one of", [] { check_device("tpu"); });
  EXPECT_TRUE(is_device_here("cpu"));
  EXPECT_EQ(is_device_here("cuda"), cuda_is_available());
  if (cuda_is_available()) return;
  expect_input_error(ExitCode::kUsage, "use device: cpu or auto", [] { check_device("cuda"); });
  expect_input_error(ExitCode::kUsage, "use device: cpu or auto", [] { make_ops("cuda", 1); });
}

TEST(ComputeDevice, ACardThatIsNotHereIsPlannedForLikeOneThatIs) {
  const BackendTraits& absent = absent_cuda();
  EXPECT_EQ(absent.device_memory().value().total, 0U);
  EXPECT_EQ(describe_device(absent), "cuda (" + describe_cuda_backend() + ")");
  if (!cuda_is_available()) return;
  const auto card = make_ops("cuda", 1);
  EXPECT_EQ(absent.name(), card->name());
  EXPECT_EQ(absent.accumulate_dtype(), card->accumulate_dtype());
  EXPECT_EQ(absent.kv_gradient_dtype(), card->kv_gradient_dtype());
}

TEST(ComputeDevice, TheProcessorNeedsNoDescription) {
  EXPECT_EQ(describe_device(*make_ops("cpu", 1)), "cpu");
}

}  // namespace
}  // namespace prescript
