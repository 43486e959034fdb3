#include "emulator/every_kernel.h"

#include <memory>
#include <numeric>
#include <utility>

#include "cuda/kernels.h"
#include "emulator/emulated_device.h"

namespace prescript::emulator {
namespace {

class Runner {
 public:
  Runner(DType dtype, int64_t guard, cuda::Device::Products products)
      : ops_(make_emulated_cuda_ops(cuda::Device::Products::kOfWarps)),
        bench_(*ops_, dtype),
        guard_(guard),
        products_(products) {}

  std::vector<Matrix> run() {
    for (const int64_t cols : {24, 600}) {
      run_memory(cols);
      run_rows(cols);
      run_activations(cols);
      run_norms(cols);
    }
    run_attentions();
    if (products_ == cuda::Device::Products::kOfWarpgroups) run_attentions_of_warpgroups();
    run_attention(
        *ops_, {.num_heads = 2, .num_kv_heads = 1, .head_size = 64, .scale = 0.2, .cap = 5}, 37);
    run_rotary(64);
    run_blocks();
    run_head();
    return std::move(results_);
  }

 private:
  static constexpr int64_t kRows = 37;

  // Numbers, or room, of the compute dtype and of float32.
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

  void run_memory(int64_t cols) {
    const Tensor copied = take_sums(kRows, cols);
    ops_->copy(put(kRows, cols, "x"), copied);
    keep(copied);
    const Tensor copied_back = take(kRows, cols);
    ops_->copy(copied, copied_back);
    keep(copied_back);
    ops_->zero(copied);
    keep(copied);
    cuda::fill_normal(copied_back, 3, 0.5F, nullptr);
    keep(copied_back);
  }

  void run_rows(int64_t cols) {
    const Tensor x = put(kRows, cols, "x");
    const std::vector<int32_t> indices = {3, 1, 3, 36, 0, 3};
    const Tensor gathered = take(6, cols);
    ops_->gather_rows(x, indices, gathered);
    ops_->gather_rows(x, indices, gathered, true);
    keep(gathered);
    const Tensor sums = put_sums(kRows, cols, "sums");
    ops_->scatter_add_rows(gathered, indices, sums);
    keep(sums);
    ops_->scatter_add_rows(gathered, indices, x);
    keep(x);
    ops_->add_row(put_sums(1, cols, "row"), x);
    keep(x);
    const std::vector<Row> rows = {Row::token(7), Row::virtual_token(0, 2), Row::token(0)};
    const Tensor embedded = take(3, cols);
    ops_->embed(bench_.put_weight(random_matrix(9, cols, "embedding")),
                1.5,
                std::vector{put_sums(4, cols, "prompt")},
                rows,
                embedded);
    keep(embedded);
    const Tensor gradient = put_sums(4, cols, "gradient");
    ops_->embed_input_gradient(embedded, rows, std::vector{gradient});
    keep(gradient);
  }

  void run_activations(int64_t cols) {
    for (const Activation f : {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh}) {
      for (const int64_t width : {2 * cols, cols}) {
        const Tensor x = put(kRows, width, "x");
        const Tensor h = take(kRows, cols);
        ops_->activate(f, x, h);
        keep(h);
        ops_->activate_input_gradient(f, x, put(kRows, cols, "dh"), x);
        keep(x);
      }
    }
  }

  void run_norms(int64_t cols) {
    const Tensor x = put(kRows, cols, "x");
    const Tensor weight = put_sums(1, cols, "weight");
    const Tensor y = take(kRows, cols);
    const Tensor rstd = take_sums(1, kRows);
    ops_->rms_norm(x, weight, 1e-5, y, rstd);
    ops_->rms_norm(x, weight, 1e-5, y, rstd, true);
    keep(y);
    keep(rstd);
    const Tensor statistics = take_sums(2, kRows);
    const Tensor z = take(kRows, cols);
    ops_->layer_norm(x, weight, put_sums(1, cols, "bias"), 1e-5, z, statistics);
    keep(z);
    for (const Tensor& dy : {put(kRows, cols, "dy"), put_sums(kRows, cols, "dy")}) {
      ops_->rms_norm_input_gradient(x, weight, rstd, dy, y);
      keep(y);
      ops_->layer_norm_input_gradient(x, weight, statistics, dy, z);
      keep(z);
    }
  }

  void run_rotary(int64_t head_size) {
    std::vector<int32_t> positions(kRows);
    std::iota(positions.rbegin(), positions.rend(), 0);
    const Tensor cos = put_sums(kRows, head_size / 2, "cos");
    const Tensor sin = put_sums(kRows, head_size / 2, "sin");
    for (const Tensor& x : {put(kRows, 3 * head_size, "x"), put_sums(kRows, head_size, "x")}) {
      for (const bool inverse : {false, true}) {
        ops_->rotary(x, head_size, positions, cos, sin, inverse);
        keep(x);
      }
    }
  }

  /// Kernels of their own for five head sizes of aligned bfloat16, and for few rows; else plain
  /// ones.
  void run_attentions() {
    std::vector<int64_t> head_sizes = {24, 64};
    if (bench_.dtype() == DType::kBFloat16 && guard_ == 0) head_sizes = {24, 64, 80, 96, 128, 256};
    for (const int64_t head_size : head_sizes) {
      for (const int32_t num_queries : {5, 37}) {
        run_attention(*ops_,
                      {.num_heads = 4, .num_kv_heads = 2, .head_size = head_size, .scale = 0.1},
                      num_queries);
      }
    }
  }

  /// Kernels for many rows of two head sizes of aligned bfloat16, over more steps than they have
  /// stages.
  void run_attentions_of_warpgroups() {
    if (bench_.dtype() != DType::kBFloat16 || guard_ != 0) return;
    const std::unique_ptr<Ops> ops = make_emulated_cuda_ops(products_);
    for (const int64_t E : {64, 128}) {
      run_attention(*ops, {.num_heads = 4, .num_kv_heads = 2, .head_size = E, .scale = 0.1}, 110);
    }
    run_attention(
        *ops, {.num_heads = 2, .num_kv_heads = 1, .head_size = 64, .scale = 0.2, .cap = 5}, 70);
  }

  void run_attention(Ops& ops, const AttentionShape& shape, int32_t num_queries) {
    constexpr int32_t kKept = 150;
    const int64_t HE = shape.num_heads * shape.head_size;
    const int64_t KE = shape.num_kv_heads * shape.head_size;
    const std::vector<Part> parts = {
        {.num_queries = num_queries, .source = 1, .num_keys = kKept},
        {.num_queries = num_queries, .num_keys = num_queries, .causal_offset = 0}};
    const Tensor q = put(num_queries, HE, "q");
    const std::vector<KeyValues> sources = {{put(num_queries, KE, "k"), put(num_queries, KE, "v")},
                                            {put(kKept, KE, "kept k"), put(kKept, KE, "kept v")}};
    const std::vector<KeyValues> gradients = {
        {put_sums(num_queries, KE, "dk"), put_sums(num_queries, KE, "dv")},
        {put_sums(kKept, KE, "kept dk"), put_sums(kKept, KE, "kept dv")}};
    const Tensor out = take(num_queries, HE);
    const Tensor lse = take_sums(num_queries, shape.num_heads);
    const Tensor dq = take_sums(num_queries, HE);
    ops.attention(shape, parts, q, sources, out, lse);
    ops.attention_input_gradient(
        shape, parts, q, sources, out, lse, put(num_queries, HE, "dout"), dq, gradients);
    for (const Tensor& x : {out, lse, dq}) keep(x);
    for (const KeyValues& gradient : gradients) {
      keep(gradient.k);
      keep(gradient.v);
    }
  }

  /// GGUF's types; any bytes are numbers while those of scales, as float16, are not too large.
  void run_blocks() {
    constexpr int64_t kBlockRows = 3;
    constexpr int64_t kCols = 512;
    std::vector<std::byte> bytes(kBlockRows * kCols * sizeof(float));
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 29 % 0x3C);
    const Buffer blocks = ops_->allocate(bytes.size());
    ops_->upload_blocks(bytes, blocks.get());
    for (const uint32_t type : {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 30}) {
      const Weight weight = bench_.put_weight(Matrix(kBlockRows, kCols));
      ops_->decode_blocks(type, blocks.get(), weight, 0, kBlockRows);
      results_.push_back(bench_.get(weight));
    }
  }

  void run_head() {
    const Weight weight = bench_.put_weight(random_matrix(700, 24, "head"));
    const WeightRows head(weight);
    const Tensor hidden = put(5, 24, "hidden");
    const Tensor logits = take_sums(5, 700);
    const Tensor dhidden = take(5, 24);
    const Tensor log_probs = take_sums(1, 5);
    const std::vector<int32_t> token_ids = {0, 699, 3, 350, 3};
    const std::vector<float> weights = {1, 0.5F, 2, 1, 0};
    for (const double cap : {0.0, 4.0}) {
      ops_->logits(hidden, head, cap, logits);
      keep(logits);
      ops_->cross_entropy(hidden, head, cap, token_ids, weights, log_probs, dhidden);
      keep(log_probs);
      keep(dhidden);
    }
  }

  std::unique_ptr<Ops> ops_;
  Workbench bench_;
  int64_t guard_;
  cuda::Device::Products products_;
  std::vector<Matrix> results_;
};

}  // namespace

std::vector<Matrix> run_every_kernel(DType dtype, int64_t guard, cuda::Device::Products products) {
  return Runner(dtype, guard, products).run();
}

}  // namespace prescript::emulator
