// Every operation gives the same bits in whatever order its threads run.

#include <vector>

#include <gtest/gtest.h>

#include "emulator/emulated_device.h"
#include "emulator/schedule.h"
#include "support/matrix.h"

namespace prescript::emulator {
namespace {

/// Runs small instances of operations and keeps their results.
class Runner {
 public:
  explicit Runner(DType dtype) : ops_(make_emulated_cuda_ops()), bench_(*ops_, dtype) {}

  std::vector<Matrix> run(int64_t guard) {
    guard_ = guard;
    for (const int64_t cols : {24, 600}) {
      run_rows(cols);
      run_norms(cols);
    }
    run_attention({.num_heads = 4, .num_kv_heads = 2, .head_size = 64, .scale = 0.125});
    run_attention({.num_heads = 2, .num_kv_heads = 1, .head_size = 24, .scale = 0.2, .cap = 5});
    run_head();
    return std::move(results_);
  }

 private:
  static constexpr int64_t kRows = 37;

  Tensor put(int64_t rows, int64_t cols, const char* name) {
    return bench_.put(random_matrix(rows, cols, name), bench_.dtype(), guard_);
  }
  Tensor put_sums(int64_t rows, int64_t cols, const char* name) {
    return bench_.put(random_matrix(rows, cols, name), DType::kFloat32, guard_);
  }
  Tensor take(int64_t rows, int64_t cols) {
    return bench_.take(rows, cols, bench_.dtype(), guard_);
  }
  Tensor take_sums(int64_t rows, int64_t cols) {
    return bench_.take(rows, cols, DType::kFloat32, guard_);
  }
  void keep(Tensor x) { results_.push_back(bench_.get(x)); }

  void run_rows(int64_t cols) {
    const Tensor x = put(kRows, cols, "x");
    const std::vector<int32_t> indices = {3, 1, 3, 36, 0, 3};
    const Tensor gathered = take(6, cols);
    ops_->gather_rows(x, indices, gathered);
    keep(gathered);
    const Tensor sums = put_sums(kRows, cols, "sums");
    ops_->scatter_add_rows(gathered, indices, sums);
    keep(sums);
    ops_->add_row(put_sums(1, cols, "row"), x);
    keep(x);
    const Tensor copied = take_sums(kRows, cols);
    ops_->copy(x, copied);
    keep(copied);
    for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
      const Tensor h = take(kRows, cols / 2);
      ops_->activate(f, x, h);
      keep(h);
      const Tensor dx = take(kRows, cols);
      ops_->activate_input_gradient(f, x, h, dx);
      keep(dx);
    }
  }

  void run_norms(int64_t cols) {
    const Tensor x = put(kRows, cols, "x");
    const Tensor dy = put(kRows, cols, "dy");
    const Tensor weight = put_sums(1, cols, "weight");
    const Tensor y = take(kRows, cols);
    const Tensor rstd = take_sums(1, kRows);
    ops_->rms_norm(x, weight, 1e-5, y, rstd);
    keep(y);
    ops_->rms_norm_input_gradient(x, weight, rstd, dy, y);
    keep(y);
    const Tensor statistics = take_sums(2, kRows);
    ops_->layer_norm(x, weight, put_sums(1, cols, "bias"), 1e-5, y, statistics);
    keep(y);
    ops_->layer_norm_input_gradient(x, weight, statistics, dy, y);
    keep(y);
  }

  void run_attention(const AttentionShape& shape) {
    const int64_t HE = shape.num_heads * shape.head_size;
    const int64_t KE = shape.num_kv_heads * shape.head_size;
    constexpr int32_t kKept = 150;
    constexpr auto kQueries = static_cast<int32_t>(kRows);
    const std::vector<Part> parts = {
        {.num_queries = kQueries, .source = 1, .num_keys = kKept},
        {.num_queries = kQueries, .num_keys = kQueries, .causal_offset = 0}};
    const Tensor q = put(kRows, HE, "q");
    const int64_t half = shape.head_size / 2;
    std::vector<int32_t> positions(kRows);
    for (int32_t i = 0; i < kQueries; ++i) positions[i] = i;
    ops_->rotary(q,
                 shape.head_size,
                 positions,
                 put_sums(kRows, half, "cos"),
                 put_sums(kRows, half, "sin"),
                 false);
    keep(q);
    const std::vector<KeyValues> sources = {{put(kRows, KE, "k"), put(kRows, KE, "v")},
                                            {put(kKept, KE, "kept k"), put(kKept, KE, "kept v")}};
    const std::vector<KeyValues> gradients = {
        {put_sums(kRows, KE, "dk"), put_sums(kRows, KE, "dv")},
        {put_sums(kKept, KE, "kept dk"), put_sums(kKept, KE, "kept dv")}};
    const Tensor out = take(kRows, HE);
    const Tensor lse = take_sums(kRows, shape.num_heads);
    const Tensor dq = take_sums(kRows, HE);
    ops_->attention(shape, parts, q, sources, out, lse);
    ops_->attention_input_gradient(
        shape, parts, q, sources, out, lse, put(kRows, HE, "dout"), dq, gradients);
    for (const Tensor& x : {out, lse, dq, gradients[0].k, gradients[0].v, gradients[1].k}) keep(x);
  }

  void run_head() {
    const WeightRows head(bench_.put_weight(random_matrix(700, 24, "head")));
    const Tensor hidden = put(5, 24, "hidden");
    const Tensor dhidden = take(5, 24);
    const Tensor log_probs = take_sums(1, 5);
    const std::vector<int32_t> token_ids = {0, 699, 3, 350, 3};
    const std::vector<float> weights = {1, 0.5F, 2, 1, 0};
    for (const double cap : {0.0, 4.0}) {
      ops_->cross_entropy(hidden, head, cap, token_ids, weights, log_probs, dhidden);
      keep(log_probs);
      keep(dhidden);
    }
  }

  std::unique_ptr<Ops> ops_;
  Workbench bench_;
  int64_t guard_ = 0;
  std::vector<Matrix> results_;
};

class KernelScheduleTest : public testing::TestWithParam<Schedule> {};
INSTANTIATE_TEST_SUITE_P(Every,
                         KernelScheduleTest,
                         testing::ValuesIn(all_schedules().subspan(1)),
                         [](const auto& test) { return name_of(test.param); });

std::vector<Matrix> results_in(const Schedule& schedule, DType dtype, int64_t guard) {
  const ScopedSchedule scope(schedule);
  return Runner(dtype).run(guard);
}

TEST_P(KernelScheduleTest, GivesTheSameBits) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t guard : {0, 3}) {
      const std::vector<Matrix> expected = results_in(all_schedules().front(), dtype, guard);
      const std::vector<Matrix> found = results_in(GetParam(), dtype, guard);
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].values, expected[i].values) << name_of(dtype) << " result " << i;
      }
    }
  }
}

}  // namespace
}  // namespace prescript::emulator
