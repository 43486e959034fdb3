// The card's own memory, copies and products.

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/ops_test.h"

namespace prescript {
namespace {

class GpuDeviceTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         GpuDeviceTest,
                         testing::Values(backends()[1], backends()[2]),
                         testing::PrintToStringParamName());

TEST_P(GpuDeviceTest, KnowsItsMemory) {
  const std::optional<DeviceMemory> before = ops().device_memory();
  ASSERT_TRUE(before);
  EXPECT_GE(before->total, before->free);
  const Buffer block = ops().allocate(size_t{256} << 20);
  EXPECT_LE(ops().device_memory()->free + (size_t{255} << 20), before->free);
}

TEST_P(GpuDeviceTest, CopiesMoreThanItsPinnedMemoryHolds) {
  const int64_t rows = 5000;
  const int64_t cols = 5001;  // 100 MB
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 251) - 125;
  const Tensor x = bench().take(rows, cols, dtype());
  ops().upload(values.data(), x);
  std::vector<float> found(values.size());
  ops().download(x, found.data());
  EXPECT_EQ(found, values);
}

TEST_P(GpuDeviceTest, IndicesOfManyOperationsDoNotOverwriteEachOther) {
  const int64_t rows = 1 << 20;
  std::vector<float> values(rows);
  std::iota(values.begin(), values.end(), 0.0F);
  const Tensor x = bench().take(rows, 1, DType::kFloat32);
  ops().upload(values.data(), x);
  std::vector<Tensor> gathered;
  std::vector<int32_t> indices(rows);
  constexpr int kOperations = 40;  // of 4 MB of indices: more than is placed at a time
  for (int i = 0; i < kOperations; ++i) {
    std::fill(indices.begin(), indices.end(), 1000 * i);
    gathered.push_back(bench().take(rows, 1, DType::kFloat32));
    ops().gather_rows(x, indices, gathered.back());
  }
  for (int i = 0; i < kOperations; ++i) {
    std::vector<float> found(rows);
    ops().download(gathered[i], found.data());
    EXPECT_EQ(std::count(found.begin(), found.end(), 1000.0F * static_cast<float>(i)), rows);
  }
}

TEST_P(GpuDeviceTest, LargeProductsHaveNoMoreThanTheErrorOfTheirDtype) {
  const Matrix x = random_matrix(333, 1000, "x");
  const Matrix weight = random_matrix(777, 1000, "weight");
  const Tensor y = bench().take(333, 777, dtype());
  ops().linear(put(x, 0), put_weight(weight), y, false);
  const Matrix found = bench().get(y);
  for (int64_t n = 0; n < x.rows; n += 37) {
    for (int64_t o = 0; o < weight.rows; o += 41) {
      const double exact = std::inner_product(x.row(n), x.row(n) + 1000, weight.row(o), 0.0);
      // TF32 would be off by 1e-3 · sqrt(1000).
      EXPECT_NEAR(found.at(n, o), exact, dtype() == DType::kFloat32 ? 1e-4 : 0.4);
    }
  }
}

}  // namespace
}  // namespace prescript
