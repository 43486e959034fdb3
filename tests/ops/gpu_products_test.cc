// Products so large that their algorithm is found by trying.

#include <numeric>

#include <gtest/gtest.h>

#include "ops/ops_test.h"

namespace prescript {
namespace {

class GpuProductsTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         GpuProductsTest,
                         testing::Values(backends()[1], backends()[2]),
                         testing::PrintToStringParamName());

TEST_P(GpuProductsTest, TryingAlgorithmsChangesNoResult) {
  const int64_t N = 4096;
  const int64_t O = 6144;
  const int64_t I = 4096;  // 2e11 FLOP
  Matrix row = random_matrix(1, I, "row");
  std::vector<float> x_values(static_cast<size_t>(N * I));
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t i = 0; i < I; ++i) {
      x_values[static_cast<size_t>(n * I + i)] = static_cast<float>(row.at(0, (i + n) % I));
    }
  }
  const Tensor x = bench().take(N, I, dtype());
  ops().upload(x_values.data(), x);
  Weight weight{nullptr, dtype(), O, I};
  const Buffer block = ops().allocate(weight.bytes());
  weight.data = block.get();
  ops().lay_out(
      [&](int64_t begin, int64_t count, float* rows) {
        for (int64_t o = begin; o < begin + count; ++o) {
          for (int64_t i = 0; i < I; ++i) *rows++ = static_cast<float>(row.at(0, (i * 7 + o) % I));
        }
      },
      weight);
  for (const bool add : {false, true}) {
    std::vector<std::vector<float>> found;
    for (int i = 0; i < 2; ++i) {  // the first tries, the second knows
      const Tensor y = bench().take(N, O, dtype());
      ops().zero(y);
      if (add) ops().add_row(put_sums(Matrix(1, O, 3)), y);
      ops().linear(x, weight, y, add);
      found.emplace_back(static_cast<size_t>(N * O));
      ops().download(y, found.back().data());
    }
    EXPECT_EQ(found[0], found[1]);
    for (int64_t n = 0; n < N; n += 777) {
      for (int64_t o = 0; o < O; o += 911) {
        double exact = add ? 3 : 0;
        for (int64_t i = 0; i < I; ++i)
          exact += row.at(0, (i + n) % I) * row.at(0, (i * 7 + o) % I);
        EXPECT_NEAR(found[0][static_cast<size_t>(n * O + o)],
                    exact,
                    dtype() == DType::kFloat32 ? 1e-3 : 1 + std::abs(exact) / 100);
      }
    }
  }
}

}  // namespace
}  // namespace prescript
