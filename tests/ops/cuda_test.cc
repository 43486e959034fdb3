// What the cuda backend does besides calling kernels.

#include <stdexcept>

#include <gmock/gmock.h>

#include "ops/ops_test.h"

namespace prescript {
namespace {

class CudaTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         CudaTest,
                         testing::Values(backends()[1], backends()[2]),
                         testing::PrintToStringParamName());

TEST_P(CudaTest, SaysWhatItIs) {
  EXPECT_EQ(ops().name(), "cuda");
}

TEST_P(CudaTest, AnErrorOfTheReaderOfAWeightReachesTheCaller) {
  Weight weight{nullptr, dtype(), 64, 8};
  const Buffer block = ops().allocate(weight.bytes());
  weight.data = block.get();
  EXPECT_THROW(ops().lay_out(
                   [](int64_t begin, int64_t count, float* rows) {
                     std::fill_n(rows, count * 8, 0.0F);
                     if (begin + count == 64) throw std::runtime_error("a truncated file");
                   },
                   weight),
               std::runtime_error);
}

TEST_P(CudaTest, AHeadLaidOutInRangesEqualsOneLaidOutWhole) {
  const int64_t V = 2 * WeightRows::kMaxRows + 5;
  const Matrix head = random_matrix(V, 8, "head");
  const Tensor hidden = put(random_matrix(3, 8, "hidden"), 0);
  const std::vector<int32_t> ids = {0, static_cast<int32_t>(V - 1), WeightRows::kMaxRows};
  const std::vector<float> weights = {0.5F, 1, 2};
  const Weight whole = put_weight(head);
  Weight range{};
  const WeightRows ranges({nullptr, dtype(), V, 8}, [&](int64_t begin, int64_t count) {
    return range = put_weight(head.row_range(begin, count));
  });
  std::vector<Matrix> found;
  for (const WeightRows& rows : {WeightRows(whole), ranges}) {
    const Tensor log_probs = bench().take(1, 3, sums());
    const Tensor gradient = bench().take(3, 8, dtype());
    ops().cross_entropy(hidden, rows, 0, ids, weights, log_probs, gradient);
    found.push_back(bench().get(log_probs));
    found.push_back(bench().get(gradient));
  }
  EXPECT_EQ(found[0].values, found[2].values);
  EXPECT_LE(tolerance::row_error(found[3], found[1]),
            dtype() == DType::kFloat32 ? 1e-6 : tolerance::kBFloat16Floor);
}

}  // namespace
}  // namespace prescript
