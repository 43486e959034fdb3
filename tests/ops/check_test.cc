// What every backend refuses: a shape, dtype or index that would read or write somewhere else.

#include "ops/check.h"

#include "base/error.h"
#include "ops/ops_test.h"

namespace prescript {
namespace {

class CheckTest : public OpsTest {
 protected:
  Tensor compute(int64_t rows, int64_t cols) { return put(Matrix(rows, cols, 1), 0); }
  Tensor wide(int64_t rows, int64_t cols) { return put_sums(Matrix(rows, cols, 1)); }
  /// Of a dtype that fits nowhere in this backend.
  Tensor foreign(int64_t rows, int64_t cols) {
    if (dtype() == DType::kBFloat16) return Tensor{this, DType::kFloat64, rows, cols, cols};
    return Tensor{this, DType::kBFloat16, rows, cols, cols};
  }

  Weight weight(int64_t rows, int64_t cols) { return put_weight(Matrix(rows, cols, 1)); }
  Weight foreign_weight(int64_t rows, int64_t cols) {
    return {this, foreign(rows, cols).dtype, rows, cols};
  }

  template <typename Action>
  static void refuses(const Action& action) {
    EXPECT_THROW(action(), ContractError);
  }
};
INSTANTIATE_TEST_SUITE_P(Every,
                         CheckTest,
                         testing::ValuesIn(backends()),
                         testing::PrintToStringParamName());

TEST_P(CheckTest, CopyRefusesAnotherShape) {
  refuses([&] { ops().copy(compute(2, 4), compute(2, 3)); });
  refuses([&] { ops().copy(compute(2, 4), compute(1, 4)); });
}

TEST_P(CheckTest, EmbedRefusesWhatIsNotThere) {
  const std::vector<Tensor> prompts = {put_sums(Matrix(2, 4))};
  const auto embed = [&](Row row, std::vector<Tensor> soft_prompts, Tensor x) {
    ops().embed(weight(5, 4), 1, soft_prompts, std::vector{row}, x);
  };
  EXPECT_NO_THROW(embed(Row::virtual_token(0, 1), prompts, compute(1, 4)));
  refuses([&] { embed(Row::token(5), prompts, compute(1, 4)); });
  refuses([&] { embed(Row::token(-1), prompts, compute(1, 4)); });
  refuses([&] { embed(Row::virtual_token(1, 0), prompts, compute(1, 4)); });
  refuses([&] { embed(Row::virtual_token(0, 2), prompts, compute(1, 4)); });
  refuses([&] { embed(Row::virtual_token(0, 0), {}, compute(1, 4)); });
  refuses([&] { embed(Row::token(0), prompts, compute(2, 4)); });
  refuses([&] { embed(Row::token(0), prompts, compute(1, 5)); });
  refuses([&] { embed(Row::token(0), prompts, foreign(1, 4)); });
  refuses([&] { embed(Row::virtual_token(0, 0), {wide(2, 5)}, compute(1, 4)); });
  refuses([&] { embed(Row::virtual_token(0, 0), {foreign(2, 4)}, compute(1, 4)); });
}

TEST_P(CheckTest, EmbedsInputGradientRefusesWhatIsNotThere) {
  const auto add = [&](Row row, std::vector<Tensor> gradients, Tensor dx) {
    ops().embed_input_gradient(dx, std::vector{row}, gradients);
  };
  EXPECT_NO_THROW(add(Row::virtual_token(0, 1), {wide(2, 4)}, compute(1, 4)));
  refuses([&] { add(Row::virtual_token(0, 2), {wide(2, 4)}, compute(1, 4)); });
  refuses([&] { add(Row::virtual_token(1, 0), {wide(2, 4)}, compute(1, 4)); });
  refuses([&] { add(Row::virtual_token(0, 0), {wide(2, 5)}, compute(1, 4)); });
  refuses([&] { add(Row::virtual_token(0, 0), {foreign(2, 4)}, compute(1, 4)); });
  refuses([&] { add(Row::virtual_token(0, 0), {wide(2, 4)}, compute(2, 4)); });
}

TEST_P(CheckTest, GatherAndScatterRefuseRowsThatAreNotThere) {
  const std::vector<int32_t> outside = {3};
  const std::vector<int32_t> negative = {-1};
  const std::vector<int32_t> inside = {2};
  refuses([&] { ops().gather_rows(compute(3, 4), outside, compute(1, 4)); });
  refuses([&] { ops().gather_rows(compute(3, 4), negative, compute(1, 4)); });
  refuses([&] { ops().gather_rows(compute(3, 4), inside, compute(2, 4)); });
  refuses([&] { ops().gather_rows(compute(3, 4), inside, compute(1, 5)); });
  refuses([&] { ops().gather_rows(compute(3, 4), inside, foreign(1, 4)); });
  refuses([&] { ops().scatter_add_rows(compute(1, 4), outside, wide(3, 4)); });
  refuses([&] { ops().scatter_add_rows(compute(1, 4), negative, wide(3, 4)); });
  refuses([&] { ops().scatter_add_rows(compute(2, 4), inside, wide(3, 4)); });
  refuses([&] { ops().scatter_add_rows(compute(1, 4), inside, foreign(3, 4)); });
}

TEST_P(CheckTest, ProductsRefuseAnotherShapeOrDtype) {
  refuses([&] { ops().linear(compute(2, 4), weight(3, 5), compute(2, 3), false); });
  refuses([&] { ops().linear(compute(2, 4), weight(3, 4), compute(2, 4), false); });
  refuses([&] { ops().linear(compute(2, 4), weight(3, 4), compute(1, 3), false); });
  refuses([&] { ops().linear(compute(2, 4), foreign_weight(3, 4), compute(2, 3), false); });
  refuses([&] { ops().linear(compute(2, 4), weight(3, 4), foreign(2, 3), true); });
  refuses([&] { ops().linear_input_gradient(compute(2, 3), weight(3, 4), compute(2, 3)); });
  refuses([&] { ops().linear_input_gradient(compute(2, 3), weight(3, 4), foreign(2, 4)); });
  refuses([&] { ops().logits(compute(2, 4), weight(3, 4), 0, wide(2, 4)); });
  refuses([&] { ops().logits(compute(2, 4), weight(3, 4), 0, foreign(2, 3)); });
}

TEST_P(CheckTest, NormsRefuseAnotherShapeOrDtype) {
  const auto norm = [&](Tensor weight, Tensor y, Tensor rstd) {
    ops().rms_norm(compute(2, 4), weight, 1e-5, y, rstd);
  };
  EXPECT_NO_THROW(norm(wide(1, 4), compute(2, 4), wide(1, 2)));
  EXPECT_NO_THROW(norm(wide(1, 2), compute(2, 4), wide(1, 4)));  // of two heads
  refuses([&] { norm(wide(1, 2), compute(2, 4), wide(1, 2)); });
  refuses([&] { norm(wide(1, 3), compute(2, 4), wide(1, 2)); });
  refuses([&] { norm(foreign(1, 4), compute(2, 4), wide(1, 2)); });
  refuses([&] { norm(wide(1, 4), compute(2, 3), wide(1, 2)); });
  refuses([&] { norm(wide(1, 4), foreign(2, 4), wide(1, 2)); });
  refuses([&] { norm(wide(1, 4), compute(2, 4), wide(1, 3)); });
  refuses([&] { norm(wide(1, 4), compute(2, 4), foreign(1, 2)); });
  const auto gradient = [&](Tensor dy, Tensor dx) {
    ops().rms_norm_input_gradient(compute(2, 4), wide(1, 4), wide(1, 2), dy, dx);
  };
  EXPECT_NO_THROW(gradient(wide(2, 4), compute(2, 4)));
  refuses([&] { gradient(compute(2, 3), compute(2, 4)); });
  refuses([&] { gradient(foreign(2, 4), compute(2, 4)); });
  refuses([&] { gradient(compute(2, 4), compute(1, 4)); });
  refuses([&] { gradient(compute(2, 4), foreign(2, 4)); });
}

TEST_P(CheckTest, LayerNormsRefuseAnotherShapeOrDtype) {
  const auto norm = [&](Tensor weight, Tensor bias, Tensor y, Tensor statistics) {
    ops().layer_norm(compute(2, 4), weight, bias, 1e-5, y, statistics);
  };
  EXPECT_NO_THROW(norm(wide(1, 4), wide(1, 4), compute(2, 4), wide(2, 2)));
  refuses([&] { norm(wide(1, 2), wide(1, 4), compute(2, 4), wide(2, 2)); });
  refuses([&] { norm(wide(1, 4), wide(1, 3), compute(2, 4), wide(2, 2)); });
  refuses([&] { norm(wide(1, 4), foreign(1, 4), compute(2, 4), wide(2, 2)); });
  refuses([&] { norm(wide(1, 4), wide(1, 4), compute(2, 3), wide(2, 2)); });
  refuses([&] { norm(wide(1, 4), wide(1, 4), compute(2, 4), wide(1, 2)); });
  const auto gradient = [&](Tensor dy, Tensor dx) {
    ops().layer_norm_input_gradient(compute(2, 4), wide(1, 4), wide(2, 2), dy, dx);
  };
  EXPECT_NO_THROW(gradient(wide(2, 4), compute(2, 4)));
  refuses([&] { gradient(compute(2, 3), compute(2, 4)); });
  refuses([&] { gradient(foreign(2, 4), compute(2, 4)); });
  refuses([&] { gradient(compute(2, 4), foreign(2, 4)); });
}

TEST_P(CheckTest, AddingARowRefusesAnotherShapeOrDtype) {
  EXPECT_NO_THROW(ops().add_row(wide(1, 4), compute(2, 4)));
  refuses([&] { ops().add_row(wide(1, 3), compute(2, 4)); });
  refuses([&] { ops().add_row(wide(2, 4), compute(2, 4)); });
  refuses([&] { ops().add_row(foreign(1, 4), compute(2, 4)); });
}

TEST_P(CheckTest, RotaryRefusesPositionsBeyondItsTables) {
  const auto turn = [&](int64_t head_size, std::vector<int32_t> positions, Tensor cos, Tensor sin) {
    ops().rotary(compute(2, 8), head_size, positions, cos, sin, false);
  };
  EXPECT_NO_THROW(turn(4, {0, 2}, wide(3, 2), wide(3, 2)));
  refuses([&] { turn(4, {0, 3}, wide(3, 2), wide(3, 2)); });
  refuses([&] { turn(4, {-1, 0}, wide(3, 2), wide(3, 2)); });
  refuses([&] { turn(4, {0}, wide(3, 2), wide(3, 2)); });
  refuses([&] { turn(3, {0, 0}, wide(3, 1), wide(3, 1)); });
  refuses([&] { turn(6, {0, 0}, wide(3, 3), wide(3, 3)); });
  refuses([&] { turn(0, {0, 0}, wide(3, 0), wide(3, 0)); });
  refuses([&] { turn(4, {0, 0}, wide(3, 3), wide(3, 3)); });
  refuses([&] { turn(4, {0, 0}, wide(3, 2), wide(2, 2)); });
  refuses([&] { turn(4, {0, 0}, foreign(3, 2), wide(3, 2)); });
  refuses([&] { turn(4, {0, 0}, wide(3, 2), foreign(3, 2)); });
}

TEST_P(CheckTest, AttentionRefusesPartsBeyondTheirSources) {
  const AttentionShape shape{4, 2, 2, 1};
  const auto attend = [&](const AttentionShape& heads, std::vector<Part> parts) {
    const std::vector<KeyValues> sources = {{compute(3, 4), compute(3, 4)}};
    ops().attention(heads, parts, compute(2, 8), sources, compute(2, 8), wide(2, 4));
  };
  EXPECT_NO_THROW(attend(shape, {{.num_queries = 2, .num_keys = 3}}));
  refuses([&] { attend({4, 3, 2, 1}, {{.num_queries = 2, .num_keys = 3}}); });
  refuses([&] { attend({4, 0, 2, 1}, {{.num_queries = 2, .num_keys = 3}}); });
  refuses([&] { attend({2, 2, 2, 1}, {{.num_queries = 2, .num_keys = 3}}); });
  refuses([&] { attend(shape, {{.num_queries = 3, .num_keys = 3}}); });
  refuses([&] { attend(shape, {{.query_begin = -1, .num_queries = 3, .num_keys = 3}}); });
  refuses([&] { attend(shape, {{.num_queries = 2, .num_keys = 4}}); });
  refuses([&] { attend(shape, {{.num_queries = 2, .key_begin = 1, .num_keys = 3}}); });
  refuses([&] { attend(shape, {{.num_queries = 2, .num_keys = 0}}); });
  refuses([&] { attend(shape, {{.num_queries = 2, .source = 1, .num_keys = 3}}); });
  refuses([&] { attend(shape, {{.num_queries = 2, .num_keys = 3, .causal_offset = -2}}); });
  refuses([&] { attend(shape, {{.num_queries = 1, .num_keys = 3}}); });  // row 1 sees nothing
  refuses([&] { attend(shape, {{.num_queries = 2, .num_keys = 3, .window_offset = 2}}); });
}

TEST_P(CheckTest, AttentionRefusesAnotherShapeOrDtype) {
  const AttentionShape shape{4, 2, 2, 1};
  const std::vector<Part> parts = {{.num_queries = 2, .num_keys = 3}};
  const auto attend = [&](KeyValues source, Tensor out, Tensor lse) {
    ops().attention(shape, parts, compute(2, 8), std::vector{source}, out, lse);
  };
  const KeyValues source{compute(3, 4), compute(3, 4)};
  refuses([&] { attend({compute(3, 4), compute(2, 4)}, compute(2, 8), wide(2, 4)); });
  refuses([&] { attend({compute(3, 8), compute(3, 8)}, compute(2, 8), wide(2, 4)); });
  refuses([&] { attend({foreign(3, 4), compute(3, 4)}, compute(2, 8), wide(2, 4)); });
  refuses([&] { attend({compute(3, 4), foreign(3, 4)}, compute(2, 8), wide(2, 4)); });
  refuses([&] { attend(source, compute(1, 8), wide(2, 4)); });
  refuses([&] { attend(source, foreign(2, 8), wide(2, 4)); });
  refuses([&] { attend(source, compute(2, 8), wide(2, 2)); });
  refuses([&] { attend(source, compute(2, 8), foreign(2, 4)); });

  const auto differentiate = [&](Tensor dout, Tensor dq, std::vector<KeyValues> gradients) {
    ops().attention_input_gradient(shape,
                                   parts,
                                   compute(2, 8),
                                   std::vector{source},
                                   compute(2, 8),
                                   wide(2, 4),
                                   dout,
                                   dq,
                                   gradients);
  };
  const auto of_kv = [&](int64_t rows) { return put_gradient(Matrix(rows, 4)); };
  const KeyValues gradient{of_kv(3), of_kv(3)};
  EXPECT_NO_THROW(differentiate(compute(2, 8), wide(2, 8), {KeyValues{}}));
  refuses([&] { differentiate(compute(2, 4), wide(2, 8), {gradient}); });
  refuses([&] { differentiate(foreign(2, 8), wide(2, 8), {gradient}); });
  refuses([&] { differentiate(compute(2, 8), wide(1, 8), {gradient}); });
  refuses([&] { differentiate(compute(2, 8), foreign(2, 8), {gradient}); });
  refuses([&] { differentiate(compute(2, 8), wide(2, 8), {}); });
  refuses([&] { differentiate(compute(2, 8), wide(2, 8), {{of_kv(3), of_kv(2)}}); });
  const Tensor narrow{this, DType::kBFloat16, 3, 4, 4};
  refuses([&] { differentiate(compute(2, 8), wide(2, 8), {{of_kv(3), narrow}}); });
}

TEST_P(CheckTest, FeedForwardAndHeadRefuseAnotherShapeDtypeOrToken) {
  const Activation f = Activation::kSilu;
  refuses([&] { ops().activate(f, compute(2, 8), compute(2, 3)); });
  refuses([&] { ops().activate(f, compute(2, 8), foreign(2, 4)); });
  refuses([&] { ops().activate_input_gradient(f, compute(2, 8), compute(2, 4), compute(2, 4)); });
  refuses([&] { ops().activate_input_gradient(f, compute(2, 8), compute(2, 4), foreign(2, 8)); });
  const auto score = [&](std::vector<int32_t> ids, Tensor log_probs, Tensor dhidden) {
    ops().cross_entropy(
        compute(2, 4), weight(5, 4), 0, ids, std::vector<float>{1, 1}, log_probs, dhidden);
  };
  EXPECT_NO_THROW(score({0, 4}, wide(1, 2), compute(2, 4)));
  refuses([&] { score({0, 5}, wide(1, 2), compute(2, 4)); });
  refuses([&] { score({-1, 4}, wide(1, 2), compute(2, 4)); });
  refuses([&] { score({0}, wide(1, 2), compute(2, 4)); });
  refuses([&] { score({0, 4, 1}, wide(1, 2), compute(2, 4)); });
  refuses([&] { score({0, 4}, wide(2, 1), compute(2, 4)); });
  refuses([&] { score({0, 4}, foreign(1, 2), compute(2, 4)); });
  refuses([&] { score({0, 4}, wide(1, 2), compute(2, 3)); });
  refuses([&] { score({0, 4}, wide(1, 2), foreign(2, 4)); });
}

TEST(Check, SaysWhatItFound) {
  try {
    ops_check::linear("linear", {nullptr, DType::kFloat32, 2, 4, 4}, {}, {});
    ADD_FAILURE() << "no error";
  } catch (const ContractError& error) {
    EXPECT_NE(std::string(error.what()).find("linear: [2, 4] fp32 is not [2, 0]"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace prescript
