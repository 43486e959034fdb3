// The loss by itself, over rows of logits that the head leaves aligned, with columns to spare.

#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/kernels.h"
#include "support/kernel_device.h"
#include "support/matrix.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

struct Loss {
  std::vector<double> log_probs;
  Matrix gradient;
};

/// As its formulas say, in float64.
Loss exact_loss(const Matrix& logits,
                double cap,
                const std::vector<int32_t>& ids,
                const std::vector<float>& weights) {
  Loss loss{{}, Matrix(logits.rows, logits.cols)};
  for (int64_t t = 0; t < logits.rows; ++t) {
    const auto capped = [&](int64_t v) {
      return cap == 0 ? logits.at(t, v) : cap * std::tanh(logits.at(t, v) / cap);
    };
    const auto i = static_cast<size_t>(t);
    double sum = 0;
    for (int64_t v = 0; v < logits.cols; ++v) sum += std::exp(capped(v));
    loss.log_probs.push_back(capped(ids[i]) - std::log(sum));
    for (int64_t v = 0; v < logits.cols; ++v) {
      const double slope = cap == 0 ? 1 : 1 - std::pow(capped(v) / cap, 2);
      const double is_target = v == ids[i] ? 1 : 0;
      loss.gradient.at(t, v) = weights[i] * (std::exp(capped(v)) / sum - is_target) * slope;
    }
  }
  return loss;
}

class CrossEntropyKernelTest : public testing::TestWithParam<DType> {
 protected:
  CrossEntropyKernelTest() : device_(open_kernel_device()) {}

  template <typename T>
  const T* put(const std::vector<T>& values) {
    blocks_.push_back(device_->allocate(values.size() * sizeof(T)));
    device_->to_device(values.data(), blocks_.back().get(), values.size() * sizeof(T));
    return static_cast<const T*>(blocks_.back().get());
  }

  Tensor take(DType dtype, int64_t rows, int64_t cols, int64_t stride) {
    blocks_.push_back(device_->allocate(static_cast<size_t>(rows * stride) * size_of(dtype)));
    return {blocks_.back().get(), dtype, rows, cols, stride};
  }

  Matrix get(const Tensor& x) {
    const Tensor wide = take(DType::kFloat32, x.rows, x.cols, x.cols);
    cuda::copy(x, wide, device_->stream());
    std::vector<float> values(static_cast<size_t>(x.num_elements()));
    device_->to_host(wide.data, values.data(), values.size() * sizeof(float));
    Matrix found(x.rows, x.cols);
    std::copy(values.begin(), values.end(), found.values.begin());
    return found;
  }

  std::unique_ptr<cuda::Device> device_;
  std::vector<Buffer> blocks_;
};
INSTANTIATE_TEST_SUITE_P(Every,
                         CrossEntropyKernelTest,
                         testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(CrossEntropyKernelTest, EqualsItsFormulaOverPaddedRows) {
  // More targets than are taken at a time; more of a vocabulary than is held.
  for (const auto& [T, V] :
       {std::pair<int64_t, int64_t>{3, 1}, {150, 61}, {3, 8190}, {3, 20483}, {2, 60003}}) {
    std::vector<int32_t> ids;
    std::vector<float> weights;
    for (int64_t t = 0; t < T; ++t) {
      ids.push_back(static_cast<int32_t>(t % 3 * (V - 1) / 2));  // the first, middle and last
      weights.push_back(std::array{0.5F, 0.0F, 2.0F}[t % 3]);
    }
    for (const double cap : {0.0, 5.0}) {
      SCOPED_TRACE("vocabulary " + std::to_string(V) + ", cap " + std::to_string(cap));
      const Matrix logits = random_matrix(T, V, "logits", 4);
      const int64_t stride = (V + 7) / 8 * 8;
      const Tensor logits_TV = take(DType::kFloat32, T, V, stride);
      const std::vector<float> narrow(logits.values.begin(), logits.values.end());
      cuda::copy({const_cast<float*>(put(narrow)), DType::kFloat32, T, V, V},
                 logits_TV,
                 device_->stream());
      // In float32 the gradient takes the place of the logits.
      const Tensor gradient =
          GetParam() == DType::kFloat32 ? logits_TV : take(GetParam(), T, V, stride);
      const Tensor log_probs = take(DType::kFloat32, 1, T, T);
      const Tensor scored = take(DType::kFloat32, 1, T, T);
      const auto run = [&](const Tensor& to, const Tensor& dlogits) {
        cuda::cross_entropy(logits_TV,
                            static_cast<float>(cap),
                            put(ids),
                            put(weights),
                            to,
                            dlogits,
                            device_->stream());
      };
      run(scored, {});
      run(log_probs, gradient);
      const Loss exact = exact_loss(logits, cap, ids, weights);
      const Matrix found = get(log_probs);
      EXPECT_EQ(found.values, get(scored).values);
      for (size_t t = 0; t < exact.log_probs.size(); ++t) {
        EXPECT_NEAR(found.values[t], exact.log_probs[t], 1e-5);
      }
      // One rounding, half of the last of 8 bits, of a row that may be one number nearly alone, and
      // whose weight is at most twice the root mean square of all.
      EXPECT_LE(tolerance::row_error(get(gradient), exact.gradient),
                GetParam() == DType::kFloat32 ? tolerance::kOperationFloat32
                                              : 4 * tolerance::kBFloat16Floor);
    }
  }
}

}  // namespace
}  // namespace prescript
