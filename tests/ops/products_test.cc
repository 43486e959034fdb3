// Products, the feed-forward's activation and the head, on every backend.

#include "ops/ops_test.h"
#include "support/plain_ops.h"

namespace prescript {
namespace {

class ProductsTest : public OpsTest {
 protected:
  std::vector<int32_t> random_ids(int64_t count, int64_t vocabulary) {
    RandomStream random(3, "ids");
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
    }
    return ids;
  }

  void expect_linear(int64_t N, int64_t I, int64_t O, int64_t guard) {
    SCOPED_TRACE("rows " + std::to_string(N) + ", columns " + std::to_string(I));
    const Matrix x = random_matrix(N, I, "x");
    const Matrix weight = random_matrix(O, I, "weight", 0.2);
    const Matrix before = random_matrix(N, O, "before");
    const Matrix dy = random_matrix(N, O, "dy");
    const Tensor x_NI = put(x, guard);
    const Weight weight_OI = put_weight(weight);
    const Tensor y = bench().take(N, O, dtype(), guard);
    const Tensor sum = put(before, guard);
    const Tensor dx = bench().take(N, I, dtype(), guard);
    ops().linear(x_NI, weight_OI, y, false);
    ops().linear(x_NI, weight_OI, sum, true);
    ops().linear_input_gradient(put(dy, guard), weight_OI, dx);
    const auto plain =
        once_per_dtype([&](DType type) { return plain::linear(type, x, weight, dy); });
    expect_close(y, [&](DType type) { return plain(type).out; });
    expect_close(sum, [&](DType type) {
      Matrix out = plain(type).out;
      for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += before.values[i];
      return out;
    });
    expect_close(dx, [&](DType type) { return plain(type).gradients[0]; });
  }

  void expect_cross_entropy(int64_t T, int64_t V, int64_t D, int64_t guard, double cap = 0) {
    SCOPED_TRACE("targets " + std::to_string(T) + ", vocabulary " + std::to_string(V));
    const Matrix hidden = random_matrix(T, D, "hidden");
    const Matrix head = random_matrix(V, D, "head", 3 / std::sqrt(static_cast<double>(D)));
    const auto ids = random_ids(T, V);
    std::vector<float> weights;  // unequal, one of them zero
    for (int64_t t = 0; t < T; ++t) weights.push_back(static_cast<float>(t % 5) / 8);
    const Tensor hidden_TD = put(hidden, guard);
    const Weight head_VD = put_weight(head);
    const Tensor log_probs = bench().take(1, T, sums(), guard);
    const Tensor dhidden = bench().take(T, D, dtype(), guard);
    ops().cross_entropy(hidden_TD, head_VD, cap, ids, weights, log_probs, dhidden);
    const auto plain = once_per_dtype(
        [&](DType type) { return plain::cross_entropy(type, hidden, head, cap, ids, weights); });
    expect_close(log_probs, [&](DType type) { return plain(type).out; });
    expect_close(dhidden, [&](DType type) { return plain(type).gradients[0]; });
    // Scoring alone gives the same numbers.
    const Tensor scored = bench().take(1, T, sums());
    ops().cross_entropy(hidden_TD, head_VD, cap, ids, weights, scored, {});
    EXPECT_EQ(bench().get(scored).values, bench().get(log_probs).values);
  }
};
INSTANTIATE_TEST_SUITE_P(Every,
                         ProductsTest,
                         testing::ValuesIn(backends()),
                         testing::PrintToStringParamName());

TEST_P(ProductsTest, LinearAndItsInputGradientEqualTheirFormulas) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      expect_linear(rows, 40, 56, guard);
      expect_linear(rows, 41, 57, guard);
    }
  }
}

TEST_P(ProductsTest, LogitsAreInTheAccumulateDtype) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : {0, 1, 33}) {
      const Matrix hidden = random_matrix(rows, 40, "hidden");
      const Matrix head = random_matrix(57, 40, "head");
      for (const double cap : {0.0, 2.0}) {
        const Tensor logits = bench().take(rows, 57, sums(), guard);
        ops().logits(put(hidden, guard), put_weight(head), cap, logits);
        expect_close(logits, [&](DType type) { return plain::logits(type, hidden, head, cap); });
      }
    }
  }
}

TEST_P(ProductsTest, ActivationsAndTheirInputGradientsEqualTheirFormulas) {
  const int64_t F = 48;
  for (const int64_t rows : kEdgeRows) {
    for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
      for (const int64_t cols : {F, 2 * F}) {
        const int64_t guard = kGuards[rows % 2];
        const Matrix x = random_matrix(rows, cols, "x", 2);
        const Matrix dh = random_matrix(rows, F, "dh");
        const Tensor x_N = put(x, guard);
        const Tensor dh_NF = put(dh, guard);
        const Tensor h = bench().take(rows, F, dtype(), guard);
        const Tensor gradient = bench().take(rows, cols, dtype(), guard);
        ops().activate(f, x_N, h);
        ops().activate_input_gradient(f, x_N, dh_NF, gradient);
        const auto plain =
            once_per_dtype([&](DType type) { return plain::activate(type, f, x, dh); });
        expect_close(h, [&](DType type) { return plain(type).out; });
        expect_close(gradient, [&](DType type) { return plain(type).gradients[0]; });
        ops().activate_input_gradient(f, x_N, dh_NF, x_N);  // in place
        EXPECT_EQ(bench().get(x_N).values, bench().get(gradient).values);
      }
    }
  }
}

TEST_P(ProductsTest, ActivationsOfLargeGatesStayFinite) {
  const Matrix gate_up = [] {
    Matrix x(1, 4, 2);
    x.at(0, 0) = 1000;
    x.at(0, 1) = -1000;
    return x;
  }();
  const Tensor h = bench().take(1, 2, dtype());
  const Tensor gradient = bench().take(1, 4, dtype());
  for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
    ops().activate(f, put(gate_up, 0), h);
    ops().activate_input_gradient(f, put(gate_up, 0), put(Matrix(1, 2, 1), 0), gradient);
    EXPECT_EQ(bench().get(h).values, (std::vector<double>{2000, 0}));
    EXPECT_EQ(bench().get(gradient).values, (std::vector<double>{2, 0, 1000, 0}));
  }
}

TEST_P(ProductsTest, CrossEntropyEqualsItsFormulaOverSeveralChunks) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) expect_cross_entropy(rows, 61, 24, guard);
    expect_cross_entropy(300, 61, 24, guard);
    expect_cross_entropy(33, 61, 24, guard, /*cap=*/4);
  }
}

TEST_P(ProductsTest, CrossEntropyHoldsAtARealVocabulary) {
  expect_cross_entropy(130, 50257, 8, 0);
}

TEST_P(ProductsTest, CrossEntropyHoldsOverAlignedRowsOfLogits) {
  expect_cross_entropy(3, 20480, 8, 0);
  expect_cross_entropy(3, 20484, 8, 0, /*cap=*/4);
}

TEST_P(ProductsTest, CrossEntropyOfLargeLogitsStaysFinite) {
  // Logits 10^4 and -10^4: the likely token has log-probability 0, the unlikely one -2·10^4.
  Matrix hidden(2, 1, 100);
  Matrix head(2, 1);
  head.at(0, 0) = 100;
  head.at(1, 0) = -100;
  const Tensor log_probs = bench().take(1, 2, sums());
  const Tensor dhidden = bench().take(2, 1, dtype());
  ops().cross_entropy(put(hidden, 0),
                      put_weight(head),
                      /*cap=*/0,
                      std::vector<int32_t>{0, 1},
                      std::vector<float>{1, 1},
                      log_probs,
                      dhidden);
  // bfloat16 logits of plain LibTorch are off by up to 10^4 / 512.
  const double allowed = dtype() == DType::kBFloat16 ? 40 : 1e-9;
  EXPECT_NEAR(bench().get(log_probs).at(0, 0), 0, 1e-9);
  EXPECT_NEAR(bench().get(log_probs).at(0, 1), -20000, 2 * allowed);
  EXPECT_EQ(bench().get(dhidden).values, (std::vector<double>{0, 200}));
}

TEST_P(ProductsTest, WhatIsNotANumberIsNotHiddenByTheLoss) {
  Matrix hidden = random_matrix(3, 8, "hidden");
  hidden.at(1, 5) = NAN;
  const Tensor log_probs = bench().take(1, 3, sums());
  const std::vector<int32_t> ids = {4, 7, 40};
  const std::vector<float> weights(3, 1);
  ops().cross_entropy(
      put(hidden, 0), put_weight(random_matrix(41, 8, "head")), 0, ids, weights, log_probs, {});
  const Matrix found = bench().get(log_probs);
  EXPECT_TRUE(std::isfinite(found.at(0, 0)));
  EXPECT_TRUE(std::isnan(found.at(0, 1)));
  EXPECT_TRUE(std::isfinite(found.at(0, 2)));
}

TEST_P(ProductsTest, SameInputsGiveTheSameBits) {
  const Matrix hidden = random_matrix(200, 64, "hidden");
  const Matrix head = random_matrix(300, 64, "head", 0.3);
  const std::vector<float> weights(200, 0.01F);
  std::vector<Matrix> found;
  for (int i = 0; i < 2; ++i) {
    const Tensor y = bench().take(200, 300, dtype());
    const Tensor log_probs = bench().take(1, 200, sums());
    const Tensor dhidden = bench().take(200, 64, dtype());
    ops().linear(put(hidden, 0), put_weight(head), y, false);
    ops().cross_entropy(
        put(hidden, 0), put_weight(head), 0, random_ids(200, 300), weights, log_probs, dhidden);
    for (const Tensor& x : {y, log_probs, dhidden}) found.push_back(bench().get(x));
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(found[i].values, found[i + 3].values);
}

}  // namespace
}  // namespace prescript
