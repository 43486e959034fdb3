// Operations on single rows, on every backend.

#include "ops/ops_test.h"
#include "support/plain_ops.h"

namespace prescript {
namespace {

class RowsTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         RowsTest,
                         testing::ValuesIn(backends()),
                         testing::PrintToStringParamName());

TEST_P(RowsTest, EmbedTakesTokensAndVirtualTokensInOrder) {
  for (const int64_t guard : kGuards) {
    const Matrix embedding = random_matrix(7, 24, "embedding");
    // In bfloat16 soft prompts are rounded on the way.
    Matrix prompt = random_matrix(3, 24, "prompt");
    for (double& value : prompt.values) value = static_cast<float>(value * 1.001);
    const std::vector<Tensor> prompts = {put_sums(Matrix(1, 24)), put_sums(prompt)};
    const std::vector<Row> rows = {
        Row::token(6), Row::virtual_token(1, 2), Row::virtual_token(1, 0), Row::token(6)};
    const Tensor x = bench().take(4, 24, dtype(), guard);
    ops().embed(put_weight(embedding), 1, prompts, rows, x);
    const Matrix found = bench().get(x);
    for (int64_t d = 0; d < 24; ++d) {
      const auto rounded = [&](double value) {
        return dtype() == DType::kBFloat16 ? round_to_bf16(value) : value;
      };
      EXPECT_EQ(found.at(0, d), embedding.at(6, d));
      EXPECT_EQ(found.at(1, d), rounded(prompt.at(2, d)));
      EXPECT_EQ(found.at(2, d), rounded(prompt.at(0, d)));
      EXPECT_EQ(found.at(3, d), embedding.at(6, d));
    }
    EXPECT_TRUE(bench().guards_are_intact());
  }
}

TEST_P(RowsTest, EmbedScalesTokensAndNoVirtualTokens) {
  const Matrix embedding = random_matrix(7, 24, "embedding");
  const Matrix prompt = random_matrix(1, 24, "prompt");
  const double scale = std::sqrt(24.0);
  const std::vector<Row> rows = {Row::token(3), Row::virtual_token(0, 0)};
  const Tensor x = bench().take(2, 24, dtype(), 3);
  ops().embed(put_weight(embedding), scale, std::vector{put_sums(prompt)}, rows, x);
  const Matrix found = bench().get(x);
  for (int64_t d = 0; d < 24; ++d) {
    // In bfloat16 as transformers: the factor is rounded, and the product.
    const double expected = dtype() == DType::kBFloat16
                                ? round_to_bf16(round_to_bf16(scale) * embedding.at(3, d))
                                : scale * embedding.at(3, d);
    const double allowed = dtype() == DType::kFloat32 ? 1e-6 : 1e-15;
    EXPECT_NEAR(found.at(0, d), expected, allowed);
    EXPECT_EQ(found.at(1, d), prompt.at(0, d));
  }
}

TEST_P(RowsTest, EmbedsInputGradientAddsVirtualRowsToTheirSoftPromptsOnly) {
  for (const int64_t guard : kGuards) {
    const Matrix dx = random_matrix(5, 24, "dx");
    const std::vector<Row> rows = {Row::virtual_token(0, 1),
                                   Row::token(0),
                                   Row::virtual_token(1, 0),
                                   Row::virtual_token(0, 1),
                                   Row::token(1)};
    const Matrix before = random_matrix(2, 24, "before");
    const std::vector<Tensor> gradients = {put_sums(before, guard), put_sums(before, guard)};
    ops().embed_input_gradient(put(dx, guard), rows, gradients);
    const Matrix first = bench().get(gradients[0]);
    const Matrix second = bench().get(gradients[1]);
    for (int64_t d = 0; d < 24; ++d) {
      EXPECT_EQ(first.at(0, d), before.at(0, d));
      EXPECT_NEAR(first.at(1, d), before.at(1, d) + dx.at(0, d) + dx.at(3, d), 1e-6);
      EXPECT_NEAR(second.at(0, d), before.at(0, d) + dx.at(2, d), 1e-6);
      EXPECT_EQ(second.at(1, d), before.at(1, d));
    }
    EXPECT_TRUE(bench().guards_are_intact());
  }
}

TEST_P(RowsTest, GatherCopiesAndScatterAddsBack) {
  const std::vector<int32_t> indices = {4, 0, 4, 2};
  for (const int64_t guard : kGuards) {
    const Matrix x = random_matrix(5, 24, "x");
    const Tensor picked = bench().take(4, 24, dtype(), guard);
    ops().gather_rows(put(x, guard), indices, picked);
    const Matrix found = bench().get(picked);
    for (int64_t i = 0; i < 4; ++i) {
      for (int64_t d = 0; d < 24; ++d) EXPECT_EQ(found.at(i, d), x.at(indices[i], d));
    }
    // Added to what is there.
    const Matrix below = random_matrix(4, 24, "below");
    const Tensor added = put(below, guard);
    ops().gather_rows(put(x, guard), indices, added, true);
    expect_close(added, [&](DType type) {
      Matrix sum = below;
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t d = 0; d < 24; ++d) {
          sum.at(i, d) += x.at(indices[i], d);
          if (type == DType::kBFloat16) sum.at(i, d) = round_to_bf16(sum.at(i, d));
        }
      }
      return sum;
    });
    // Sums in the accumulate dtype, and in the compute dtype.
    const Matrix before = random_matrix(5, 24, "before");
    const auto plain = [&](DType type) {
      Matrix sums_of_rows = before;
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t d = 0; d < 24; ++d) {
          double& sum = sums_of_rows.at(indices[i], d);
          sum += x.at(indices[i], d);
          if (type == DType::kBFloat16) sum = round_to_bf16(sum);
        }
      }
      return sums_of_rows;
    };
    const Tensor wide = put_sums(before, guard);
    const Tensor narrow = put(before, guard);
    ops().scatter_add_rows(picked, indices, wide);
    ops().scatter_add_rows(picked, indices, narrow);
    EXPECT_LE(tolerance::row_error(bench().get(wide), plain(DType::kFloat64)),
              tolerance::kOperationFloat32);
    expect_close(narrow, plain);
  }
}

TEST_P(RowsTest, GatheringAndScatteringNothingTouchesNothing) {
  const Matrix x = random_matrix(5, 24, "x");
  const Tensor y = put(x, 3);
  ops().gather_rows(y, {}, bench().take(0, 24, dtype()));
  ops().scatter_add_rows(bench().take(0, 24, dtype()), {}, y);
  EXPECT_EQ(bench().get(y).values, x.values);
}

TEST_P(RowsTest, RmsNormEqualsItsFormula) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      const int64_t D = 72;
      Matrix x = random_matrix(rows, D, "x", 3);
      for (int64_t d = 0; d < D && rows > 1; ++d) x.at(1, d) = 0;  // epsilon keeps it finite
      const Matrix weight = random_matrix(1, D, "weight", 0.2, 1);
      const Tensor y = bench().take(rows, D, dtype(), guard);
      const Tensor rstd = bench().take(1, rows, sums());
      ops().rms_norm(put(x, guard), put_sums(weight, guard), 1e-5, y, rstd);
      const auto plain = once_per_dtype(
          [&](DType type) { return plain::rms_norm(type, x, weight, 1e-5, Matrix(rows, D)).out; });
      expect_close(y, plain);
      const Matrix before = random_matrix(rows, D, "before");
      const Tensor sum = put(before, guard);
      ops().rms_norm(put(x, guard), put_sums(weight, guard), 1e-5, sum, rstd, true);
      expect_close(sum, [&](DType type) {
        Matrix out = plain(type);
        for (size_t i = 0; i < out.values.size(); ++i) out.values[i] += before.values[i];
        return out;
      });
      for (int64_t n = 0; n < rows; ++n) {
        double squares = 0;
        for (int64_t d = 0; d < D; ++d) squares += x.at(n, d) * x.at(n, d);
        const double exact = 1 / std::sqrt(squares / static_cast<double>(D) + 1e-5);
        EXPECT_NEAR(bench().get(rstd).at(0, n) / exact, 1, 1e-6);
      }
    }
  }
}

TEST_P(RowsTest, RmsNormsInputGradientIsAdded) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      const int64_t D = 72;
      const Matrix x = random_matrix(rows, D, "x", 3);
      const Matrix weight = random_matrix(1, D, "weight", 0.2, 1);
      const Matrix dy = random_matrix(rows, D, "dy");
      const Matrix before = random_matrix(rows, D, "before", 0.3);
      const Tensor x_ND = put(x, guard);
      const Tensor weight_D = put_sums(weight, guard);
      const Tensor rstd_N = bench().take(1, rows, sums());
      ops().rms_norm(x_ND, weight_D, 1e-5, bench().take(rows, D, dtype()), rstd_N);
      for (const DType dy_type : {dtype(), sums()}) {
        const Tensor dx_ND = put(before, guard);
        ops().rms_norm_input_gradient(
            x_ND, weight_D, rstd_N, bench().put(dy, dy_type, guard), dx_ND);
        expect_close(dx_ND, [&](DType type) {
          Matrix sum = plain::rms_norm(type, x, weight, 1e-5, dy).gradients[0];
          for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += before.values[i];
          return sum;
        });
      }
    }
  }
}

TEST_P(RowsTest, RmsNormOfHeadsNormsEachByItself) {
  const int64_t E = 24;
  const int64_t heads = 3;
  for (const int64_t rows : kEdgeRows) {
    const Matrix x = random_matrix(rows, heads * E, "x", 3);
    const Matrix weight = random_matrix(1, E, "weight", 0.2, 1);
    const Matrix dy = random_matrix(rows, heads * E, "dy");
    const Tensor x_NHE = put(x, 3);
    const Tensor weight_E = put_sums(weight);
    const Tensor y = bench().take(rows, heads * E, dtype(), 3);
    const Tensor dx = put(Matrix(rows, heads * E), 3);
    const Tensor rstd = bench().take(1, rows * heads, sums());
    ops().rms_norm(x_NHE, weight_E, 1e-5, y, rstd);
    ops().rms_norm_input_gradient(x_NHE, weight_E, rstd, put(dy, 3), dx);
    const auto plain =
        once_per_dtype([&](DType type) { return plain::rms_norm(type, x, weight, 1e-5, dy); });
    expect_close(y, [&](DType type) { return plain(type).out; });
    expect_close(dx, [&](DType type) { return plain(type).gradients[0]; });
  }
}

TEST_P(RowsTest, RmsNormOfMoreHeadsThanThreadsNormsEachByItself) {
  const int64_t E = 8;
  const int64_t heads = 16;
  const int64_t rows = 2200;
  const Matrix x = random_matrix(rows, heads * E, "x", 3);
  const Matrix weight = random_matrix(1, E, "weight", 0.2, 1);
  const Matrix dy = random_matrix(rows, heads * E, "dy");
  const Tensor y = bench().take(rows, heads * E, dtype());
  const Tensor dx = put(Matrix(rows, heads * E), 0);
  const Tensor rstd = bench().take(1, rows * heads, sums());
  ops().rms_norm(put(x, 0), put_sums(weight), 1e-5, y, rstd);
  ops().rms_norm_input_gradient(put(x, 0), put_sums(weight), rstd, put(dy, 0), dx);
  const auto plain =
      once_per_dtype([&](DType type) { return plain::rms_norm(type, x, weight, 1e-5, dy); });
  expect_close(y, [&](DType type) { return plain(type).out; });
  expect_close(dx, [&](DType type) { return plain(type).gradients[0]; });
}

// Of rows that no backend holds in registers.
TEST_P(RowsTest, NormsOfLongRowsEqualTheirFormulas) {
  const int64_t rows = 2;
  const int64_t D = 8200;
  for (const int64_t guard : kGuards) {
    const Matrix x = random_matrix(rows, D, "x", 3, 1);
    const Matrix weight = random_matrix(1, D, "weight", 0.2, 1);
    const Matrix bias = random_matrix(1, D, "bias");
    const Matrix dy = random_matrix(rows, D, "dy");
    const Tensor x_ND = put(x, guard);
    const Tensor weight_D = put_sums(weight, guard);
    const Tensor y = bench().take(rows, D, dtype(), guard);
    const Tensor rstd = bench().take(1, rows, sums());
    const Tensor dx = put(Matrix(rows, D), guard);
    ops().rms_norm(x_ND, weight_D, 1e-5, y, rstd);
    ops().rms_norm_input_gradient(x_ND, weight_D, rstd, put(dy, guard), dx);
    const auto rms =
        once_per_dtype([&](DType type) { return plain::rms_norm(type, x, weight, 1e-5, dy); });
    expect_close(y, [&](DType type) { return rms(type).out; });
    expect_close(dx, [&](DType type) { return rms(type).gradients[0]; });
    const Tensor statistics = bench().take(2, rows, sums());
    const Tensor layer_dx = put(Matrix(rows, D), guard);
    ops().layer_norm(x_ND, weight_D, put_sums(bias, guard), 1e-5, y, statistics);
    ops().layer_norm_input_gradient(x_ND, weight_D, statistics, put(dy, guard), layer_dx);
    const auto layer = once_per_dtype(
        [&](DType type) { return plain::layer_norm(type, x, weight, bias, 1e-5, dy); });
    expect_close(y, [&](DType type) { return layer(type).out; });
    expect_close(layer_dx, [&](DType type) { return layer(type).gradients[0]; });
  }
}

TEST_P(RowsTest, LongRowsAreTakenAndAddedWhole) {
  const int64_t D = 2312;
  const std::vector<int32_t> indices = {4, 0, 4, 2, 4, 4, 4};
  const auto count = static_cast<int64_t>(indices.size());
  for (const int64_t guard : kGuards) {
    const Matrix x = random_matrix(5, D, "x");
    const Tensor x_ND = put(x, guard);
    const Tensor copied = bench().take(5, D, dtype(), guard);
    ops().copy(x_ND, copied);
    EXPECT_EQ(bench().get(copied).values, x.values);
    const Tensor picked = bench().take(count, D, dtype(), guard);
    ops().gather_rows(copied, indices, picked);
    const Tensor embedded = bench().take(2, D, dtype(), guard);
    ops().embed(put_weight(x),
                1,
                std::vector{put_sums(x, guard)},
                std::vector{Row::token(4), Row::virtual_token(0, 2)},
                embedded);
    const Tensor total = put_sums(Matrix(5, D), guard);
    ops().scatter_add_rows(picked, indices, total);
    const Matrix found_picked = bench().get(picked);
    const Matrix found_embedded = bench().get(embedded);
    const Matrix found_total = bench().get(total);
    for (int64_t d = 0; d < D; ++d) {
      ASSERT_EQ(found_picked.at(3, d), x.at(2, d));
      ASSERT_EQ(found_embedded.at(0, d), x.at(4, d));
      ASSERT_EQ(found_embedded.at(1, d), x.at(2, d));
      ASSERT_NEAR(found_total.at(4, d), 5 * x.at(4, d), 1e-5);
      ASSERT_EQ(found_total.at(1, d), 0);
    }
    ops().zero(picked);
    EXPECT_EQ(bench().get(picked).values, Matrix(count, D).values);
    EXPECT_TRUE(bench().guards_are_intact());
  }
}

TEST_P(RowsTest, LayerNormAndItsInputGradientEqualTheirFormulas) {
  const int64_t D = 72;
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      Matrix x = random_matrix(rows, D, "x", 3, 1);
      for (int64_t d = 0; d < D && rows > 1; ++d) x.at(1, d) = 2;  // epsilon keeps it finite
      const Matrix weight = random_matrix(1, D, "weight", 0.2, 1);
      const Matrix bias = random_matrix(1, D, "bias");
      const Matrix dy = random_matrix(rows, D, "dy");
      const Matrix before = random_matrix(rows, D, "before", 0.3);
      const Tensor x_ND = put(x, guard);
      const Tensor weight_D = put_sums(weight, guard);
      const Tensor y = bench().take(rows, D, dtype(), guard);
      const Tensor statistics = bench().take(2, rows, sums(), guard);
      ops().layer_norm(x_ND, weight_D, put_sums(bias, guard), 1e-2, y, statistics);
      const auto plain = once_per_dtype(
          [&](DType type) { return plain::layer_norm(type, x, weight, bias, 1e-2, dy); });
      expect_close(y, [&](DType type) { return plain(type).out; });
      for (const DType dy_type : {dtype(), sums()}) {
        const Tensor dx_ND = put(before, guard);
        ops().layer_norm_input_gradient(
            x_ND, weight_D, statistics, bench().put(dy, dy_type, guard), dx_ND);
        expect_close(dx_ND, [&](DType type) {
          Matrix sum = plain(type).gradients[0];
          for (size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += before.values[i];
          return sum;
        });
      }
    }
  }
}

TEST_P(RowsTest, ARowIsAddedToEveryOther) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      const Matrix x = random_matrix(rows, 40, "x");
      const Matrix row = random_matrix(1, 40, "row");
      const Tensor y = put(x, guard);
      ops().add_row(put_sums(row, guard), y);
      expect_close(y, [&](DType type) { return plain::add_row(type, row, x); });
    }
  }
}

TEST_P(RowsTest, RotaryTurnsPairsByTheirRowsPositionAndTurnsBack) {
  struct Shape {
    int64_t head_size;
    int64_t pairs;  // of the whole head, or of its first elements
  };
  for (const auto [head_size, pairs] :
       {Shape{12, 6}, Shape{12, 4}, Shape{12, 1}, Shape{32, 16}, Shape{32, 8}}) {
    const int64_t cols = 3 * head_size;
    for (const int64_t guard : kGuards) {
      for (const int64_t rows : kEdgeRows) {
        const Matrix x = random_matrix(rows, cols, "x");
        const Matrix cos = random_matrix(50, pairs, "cos");
        const Matrix sin = random_matrix(50, pairs, "sin");
        std::vector<int32_t> positions;  // of a tree: they jump
        for (int64_t n = 0; n < rows; ++n) positions.push_back(static_cast<int32_t>(n * 17 % 50));
        const Tensor turned = put(x, guard);
        const Tensor turned_back = put(x, guard);
        const Tensor gradient = put_gradient(x, guard);
        const Tensor cos_table = put_sums(cos, guard);
        const Tensor sin_table = put_sums(sin, guard);
        ops().rotary(turned, head_size, positions, cos_table, sin_table, false);
        ops().rotary(turned_back, head_size, positions, cos_table, sin_table, true);
        ops().rotary(gradient, head_size, positions, cos_table, sin_table, true);
        const auto plain = once_per_dtype(
            [&](DType type) { return plain::rotary(type, x, head_size, positions, cos, sin, x); });
        expect_close(turned, [&](DType type) { return plain(type).out; });
        expect_close(turned_back, [&](DType type) { return plain(type).gradients[0]; });
        EXPECT_LE(tolerance::row_error(bench().get(gradient), plain(DType::kFloat64).gradients[0]),
                  tolerance::kOperationFloat32);
      }
    }
  }
}

TEST_P(RowsTest, SameInputsGiveTheSameBits) {
  const Matrix x = random_matrix(129, 200, "x");
  const Matrix weight = random_matrix(1, 200, "weight");
  std::vector<Matrix> found;
  for (int i = 0; i < 2; ++i) {
    const Tensor y = bench().take(129, 200, dtype());
    const Tensor dx = put(x, 0);
    const Tensor rstd = bench().take(1, 129, sums());
    ops().rms_norm(put(x, 0), put_sums(weight), 1e-5, y, rstd);
    ops().rms_norm_input_gradient(put(x, 0), put_sums(weight), rstd, y, dx);
    found.push_back(bench().get(dx));
  }
  EXPECT_EQ(found[0].values, found[1].values);
}

}  // namespace
}  // namespace prescript
