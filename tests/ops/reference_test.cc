// The input gradient of every operation against central differences of its forward, in float64.

#include "ops/ops_test.h"

namespace prescript {
namespace {

/// Central differences of Σ forward(x)∘dout by each element of x.
template <typename Forward>
Matrix central_differences(Matrix x, const Matrix& dout, const Forward& forward) {
  constexpr double kStep = 1e-5;
  const auto value = [&] {
    const Matrix y = forward(x);
    double sum = 0;
    for (size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * dout.values[i];
    return sum;
  };
  Matrix gradient(x.rows, x.cols);
  for (size_t i = 0; i < x.values.size(); ++i) {
    const double middle = x.values[i];
    x.values[i] = middle + kStep;
    const double above = value();
    x.values[i] = middle - kStep;
    gradient.values[i] = (above - value()) / (2 * kStep);
    x.values[i] = middle;
  }
  return gradient;
}

class Reference : public testing::Test {
 protected:
  Reference() : ops_(make_reference_ops()) {}

  /// A bench for one evaluation: memory does not pile up.
  Workbench bench() { return Workbench(*ops_, DType::kFloat64); }

  static void expect_gradient(const Matrix& found, const Matrix& expected) {
    EXPECT_LE(tolerance::norm_error(found.values, expected.values), tolerance::kCentralDifference);
  }

  std::unique_ptr<Ops> ops_;
};

TEST_F(Reference, EmbedGradientMatchesCentralDifferences) {
  const Matrix embedding = random_matrix(4, 6, "embedding");
  const Matrix prompt = random_matrix(3, 6, "prompt");
  const Matrix dout = random_matrix(5, 6, "dout");
  const std::vector<Row> rows = {Row::virtual_token(0, 2),
                                 Row::token(3),
                                 Row::virtual_token(0, 0),
                                 Row::virtual_token(0, 2),
                                 Row::token(1)};
  Workbench memory = bench();
  const Tensor gradient = memory.put(Matrix(3, 6));
  ops_->embed_input_gradient(memory.put(dout), rows, std::vector{gradient});
  expect_gradient(memory.get(gradient), central_differences(prompt, dout, [&](const Matrix& x) {
                    Workbench once = bench();
                    const Tensor y = once.take(5, 6, DType::kFloat64);
                    ops_->embed(once.put_weight(embedding), 1, std::vector{once.put(x)}, rows, y);
                    return once.get(y);
                  }));
}

TEST_F(Reference, GatherGradientMatchesCentralDifferences) {
  const Matrix x = random_matrix(4, 6, "x");
  const Matrix dout = random_matrix(5, 6, "dout");
  const std::vector<int32_t> indices = {3, 0, 3, 1, 3};
  Workbench memory = bench();
  const Tensor gradient = memory.put(Matrix(4, 6));
  ops_->scatter_add_rows(memory.put(dout), indices, gradient);
  expect_gradient(memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
                    Workbench once = bench();
                    const Tensor y = once.take(5, 6, DType::kFloat64);
                    ops_->gather_rows(once.put(moved), indices, y);
                    return once.get(y);
                  }));
}

TEST_F(Reference, LinearGradientMatchesCentralDifferences) {
  const Matrix x = random_matrix(5, 7, "x");
  const Matrix weight = random_matrix(6, 7, "weight");
  const Matrix dout = random_matrix(5, 6, "dout");
  Workbench memory = bench();
  const Tensor gradient = memory.take(5, 7, DType::kFloat64);
  ops_->linear_input_gradient(memory.put(dout), memory.put_weight(weight), gradient);
  expect_gradient(memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
                    Workbench once = bench();
                    const Tensor y = once.take(5, 6, DType::kFloat64);
                    ops_->linear(once.put(moved), once.put_weight(weight), y, false);
                    return once.get(y);
                  }));
}

TEST_F(Reference, RmsNormGradientMatchesCentralDifferences) {
  const Matrix x = random_matrix(5, 12, "x");
  const Matrix weight = random_matrix(1, 12, "weight");
  const Matrix dout = random_matrix(5, 12, "dout");
  Workbench memory = bench();
  const Tensor rstd = memory.take(1, 5, DType::kFloat64);
  const Tensor gradient = memory.put(Matrix(5, 12));
  ops_->rms_norm(memory.put(x), memory.put(weight), 0.1, memory.take(5, 12, DType::kFloat64), rstd);
  ops_->rms_norm_input_gradient(
      memory.put(x), memory.put(weight), rstd, memory.put(dout), gradient);
  expect_gradient(
      memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
        Workbench once = bench();
        const Tensor y = once.take(5, 12, DType::kFloat64);
        ops_->rms_norm(once.put(moved), once.put(weight), 0.1, y, once.take(1, 5, DType::kFloat64));
        return once.get(y);
      }));
}

TEST_F(Reference, LayerNormGradientMatchesCentralDifferences) {
  const Matrix x = random_matrix(5, 12, "x");
  const Matrix weight = random_matrix(1, 12, "weight");
  const Matrix bias = random_matrix(1, 12, "bias");
  const Matrix dout = random_matrix(5, 12, "dout");
  const auto norm = [&](Workbench& memory, const Matrix& of, Tensor statistics) {
    const Tensor y = memory.take(5, 12, DType::kFloat64);
    ops_->layer_norm(memory.put(of), memory.put(weight), memory.put(bias), 0.1, y, statistics);
    return memory.get(y);
  };
  Workbench memory = bench();
  const Tensor statistics = memory.take(2, 5, DType::kFloat64);
  norm(memory, x, statistics);
  const Tensor gradient = memory.put(Matrix(5, 12));
  ops_->layer_norm_input_gradient(
      memory.put(x), memory.put(weight), statistics, memory.put(dout), gradient);
  expect_gradient(memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
                    Workbench once = bench();
                    return norm(once, moved, once.take(2, 5, DType::kFloat64));
                  }));
}

TEST_F(Reference, RotaryGradientMatchesCentralDifferences) {
  const Matrix x = random_matrix(4, 12, "x");
  const Matrix cos = random_matrix(9, 3, "cos");
  const Matrix sin = random_matrix(9, 3, "sin");
  const Matrix dout = random_matrix(4, 12, "dout");
  const std::vector<int32_t> positions = {8, 0, 3, 3};
  Workbench memory = bench();
  const Tensor gradient = memory.put(dout);
  ops_->rotary(gradient, 6, positions, memory.put(cos), memory.put(sin), true);
  expect_gradient(memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
                    Workbench once = bench();
                    const Tensor y = once.put(moved);
                    ops_->rotary(y, 6, positions, once.put(cos), once.put(sin), false);
                    return once.get(y);
                  }));
}

TEST_F(Reference, AttentionGradientsMatchCentralDifferences) {
  // Rows 0-1 stand below two kept rows, rows 2-4 below rows 0-1 and the kept rows.
  // Scores are capped, and the window of row 4 leaves out row 2.
  const AttentionShape shape{4, 2, 6, 0.4, 0.8};
  const std::vector<Part> parts = {{.num_queries = 5, .source = 1, .num_keys = 2},
                                   {.query_begin = 2, .num_queries = 3, .num_keys = 2},
                                   {.num_queries = 2, .num_keys = 2, .causal_offset = 0},
                                   {.query_begin = 2,
                                    .num_queries = 3,
                                    .key_begin = 2,
                                    .num_keys = 3,
                                    .causal_offset = 0,
                                    .window_offset = -1}};
  const Matrix dout = random_matrix(5, 24, "dout");
  // q, then k and v of this pass, then those of the kept rows.
  const std::vector<Matrix> inputs = {random_matrix(5, 24, "q"),
                                      random_matrix(5, 12, "k"),
                                      random_matrix(5, 12, "v"),
                                      random_matrix(2, 12, "kept k"),
                                      random_matrix(2, 12, "kept v")};
  const auto sources_of = [](Workbench& memory, const std::vector<Matrix>& x) {
    return std::vector<KeyValues>{{memory.put(x[1]), memory.put(x[2])},
                                  {memory.put(x[3]), memory.put(x[4])}};
  };
  Workbench memory = bench();
  const auto sources = sources_of(memory, inputs);
  const std::vector<KeyValues> gradients = {{memory.put(Matrix(5, 12)), memory.put(Matrix(5, 12))},
                                            {memory.put(Matrix(2, 12)), memory.put(Matrix(2, 12))}};
  const Tensor q = memory.put(inputs[0]);
  const Tensor out = memory.take(5, 24, DType::kFloat64);
  const Tensor lse = memory.take(5, 4, DType::kFloat64);
  const Tensor dq = memory.take(5, 24, DType::kFloat64);
  ops_->attention(shape, parts, q, sources, out, lse);
  ops_->attention_input_gradient(
      shape, parts, q, sources, out, lse, memory.put(dout), dq, gradients);
  const std::vector<Tensor> found = {
      dq, gradients[0].k, gradients[0].v, gradients[1].k, gradients[1].v};
  for (size_t i = 0; i < inputs.size(); ++i) {
    SCOPED_TRACE(i);
    const Matrix expected = central_differences(inputs[i], dout, [&](const Matrix& moved) {
      std::vector<Matrix> x = inputs;
      x[i] = moved;
      Workbench once = bench();
      const Tensor y = once.take(5, 24, DType::kFloat64);
      ops_->attention(
          shape, parts, once.put(x[0]), sources_of(once, x), y, once.take(5, 4, DType::kFloat64));
      return once.get(y);
    });
    expect_gradient(memory.get(found[i]), expected);
  }
}

TEST_F(Reference, ActivationGradientsMatchCentralDifferences) {
  const Matrix dout = random_matrix(4, 5, "dout");
  for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
    for (const int64_t cols : {5, 10}) {
      const Matrix x = random_matrix(4, cols, "x", 2);
      Workbench memory = bench();
      const Tensor gradient = memory.take(4, cols, DType::kFloat64);
      ops_->activate_input_gradient(f, memory.put(x), memory.put(dout), gradient);
      expect_gradient(memory.get(gradient), central_differences(x, dout, [&](const Matrix& moved) {
                        Workbench once = bench();
                        const Tensor h = once.take(4, 5, DType::kFloat64);
                        ops_->activate(f, once.put(moved), h);
                        return once.get(h);
                      }));
    }
  }
}

TEST_F(Reference, CrossEntropyGradientMatchesCentralDifferences) {
  const Matrix hidden = random_matrix(4, 6, "hidden");
  const Matrix head = random_matrix(11, 6, "head");
  const std::vector<int32_t> ids = {10, 0, 3, 3};
  const std::vector<float> weights = {0.5F, 0.25F, 0, 2};
  Matrix dout(1, 4);
  for (int64_t t = 0; t < 4; ++t) dout.at(0, t) = -static_cast<double>(weights[t]);
  for (const double cap : {0.0, 1.5}) {
    Workbench memory = bench();
    const Tensor gradient = memory.take(4, 6, DType::kFloat64);
    const Tensor unused = memory.take(1, 4, DType::kFloat64);
    ops_->cross_entropy(
        memory.put(hidden), memory.put_weight(head), cap, ids, weights, unused, gradient);
    expect_gradient(memory.get(gradient),
                    central_differences(hidden, dout, [&](const Matrix& moved) {
                      Workbench once = bench();
                      const Tensor log_probs = once.take(1, 4, DType::kFloat64);
                      ops_->cross_entropy(
                          once.put(moved), once.put_weight(head), cap, ids, weights, log_probs, {});
                      return once.get(log_probs);
                    }));
  }
}

TEST_F(Reference, TakesFloat64Only) {
  Workbench memory = bench();
  const Tensor narrow = memory.take(1, 4, DType::kFloat32);
  const Tensor wide = memory.take(1, 4, DType::kFloat64);
  EXPECT_THROW(ops_->zero(narrow), ContractError);
  EXPECT_THROW(ops_->copy(narrow, wide), ContractError);
  EXPECT_THROW(ops_->activate(Activation::kSilu, narrow, narrow), ContractError);
  EXPECT_EQ(ops_->name(), "reference");
}

}  // namespace
}  // namespace prescript
