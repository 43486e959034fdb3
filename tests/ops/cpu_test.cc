// What the cpu backend says of itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/ops.h"

namespace prescript {
namespace {

TEST(Cpu, RefusesFloat64AndNoThreads) {
  const auto ops = make_cpu_ops(2);
  double number = 0;
  const Tensor x{&number, DType::kFloat64, 1, 1, 1};
  EXPECT_THROW(ops->rms_norm(x, x, 0.1, x, x), ContractError);
  EXPECT_THROW(make_cpu_ops(0), ContractError);
}

TEST(Cpu, SaysWhatItIs) {
  EXPECT_EQ(make_cpu_ops(2)->name(), "cpu");
  EXPECT_THAT(describe_cpu_backend(), testing::StartsWith("LibTorch 2."));
  EXPECT_GE(default_num_threads(), 1);
}

TEST(Cpu, PeakIsThatOfVectorsInFlopsASecond) {
  make_cpu_ops(2);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const double peak = measure_cpu_peak(dtype, 0.01);
    EXPECT_GT(peak, 1e8);
    EXPECT_LT(peak, 1e15);
  }
}

}  // namespace
}  // namespace prescript
