// Random numbers for measurements.

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/kernels.h"
#include "support/kernel_device.h"

namespace prescript {
namespace {

std::vector<float> normal_numbers(int64_t rows, int64_t cols, uint64_t seed, float deviation) {
  const auto device = open_kernel_device();
  std::vector<float> values(static_cast<size_t>(rows * cols));
  const size_t bytes = values.size() * sizeof(float);
  const Buffer block = device->allocate(bytes);
  cuda::fill_normal(
      {block.get(), DType::kFloat32, rows, cols, cols}, seed, deviation, device->stream());
  device->to_host(block.get(), values.data(), bytes);
  return values;
}

TEST(FillNormalKernel, GivesNumbersOfThatDistribution) {
  const std::vector<float> x = normal_numbers(50, 401, 1, 2);
  const auto count = static_cast<double>(x.size());
  double mean = 0;
  double variance = 0;
  double fourth = 0;
  for (const float value : x) {
    mean += value / count;
    variance += std::pow(value, 2) / count;
    fourth += std::pow(value, 4) / count;
  }
  EXPECT_NEAR(mean, 0, 0.05);
  EXPECT_NEAR(variance, 4, 0.15);
  EXPECT_NEAR(fourth / (variance * variance), 3, 0.2);
  std::vector<float> sorted = x;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(std::adjacent_find(
                sorted.begin(), sorted.end(), [](float a, float b) { return a == b && a == 0; }),
            sorted.end());
  EXPECT_NEAR(sorted[sorted.size() / 2], 0, 0.06);
}

TEST(FillNormalKernel, DependsOnTheSeedAndTheIndexAlone) {
  EXPECT_EQ(normal_numbers(6, 100, 3, 1), normal_numbers(20, 30, 3, 1));
  EXPECT_NE(normal_numbers(6, 100, 3, 1), normal_numbers(6, 100, 4, 1));
}

}  // namespace
}  // namespace prescript
