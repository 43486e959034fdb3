// The cpu backend: which of its pieces does what.

#include <memory>

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include "base/arena.h"
#include "ops/cpu_activation.h"
#include "ops/cpu_attention.h"
#include "ops/cpu_kernels.h"
#include "ops/cpu_pages.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_products.h"
#include "ops/cpu_rows.h"
#include "ops/cpu_weight.h"
#include "ops/ops.h"

namespace prescript {
namespace {

class CpuOps final : public Ops {
 public:
  std::string_view name() const override { return "cpu"; }
  DType accumulate_dtype() const override { return DType::kFloat32; }
  DType kv_gradient_dtype() const override { return DType::kFloat64; }

  Buffer allocate(size_t bytes) override {
    return Buffer(pages_->take(bytes), [pages = pages_](void* data) { pages->give_back(data); });
  }

  void zero(Tensor x) override { cpu::zero(x); }
  void copy(Tensor x, Tensor y) override { cpu::copy(x, y); }
  void upload(const float* x, Tensor y) override { cpu::copy(dense(const_cast<float*>(x), y), y); }
  void download(Tensor x, float* y) override { cpu::copy(x, dense(y, x)); }

  void lay_out(const ReadRows& read, Weight weight) override {
    cpu::lay_out(cpu::gemm_kernel(weight.dtype), read, weight);
  }

  void embed(Weight embedding_VD,
             double scale,
             std::span<const Tensor> prompts_PD,
             std::span<const Row> rows,
             Tensor x_ND) override {
    cpu::embed(embedding_VD, scale, prompts_PD, rows, x_ND);
  }
  void embed_input_gradient(Tensor dx_ND,
                            std::span<const Row> rows,
                            std::span<const Tensor> gradients_PD) override {
    cpu::embed_input_gradient(dx_ND, rows, gradients_PD);
  }
  void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add) override {
    cpu::gather_rows(x_ND, indices, y, add);
  }
  void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) override {
    cpu::scatter_add_rows(x, indices, y_ND);
  }
  void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) override {
    cpu::linear(x_NI, weight_OI, y_NO, add);
  }
  void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) override {
    cpu::linear_input_gradient(dy_NO, weight_OI, dx_NI);
  }
  void add_row(Tensor row_D, Tensor y_ND) override { cpu::add_row(row_D, y_ND); }
  void rms_norm(
      Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add) override {
    cpu::rms_norm(x_ND, weight_D, epsilon, y_ND, rstd_N, add);
  }
  void rms_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) override {
    cpu::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
  }
  void layer_norm(Tensor x_ND,
                  Tensor weight_D,
                  Tensor bias_D,
                  double epsilon,
                  Tensor y_ND,
                  Tensor statistics_2N) override {
    cpu::layer_norm(x_ND, weight_D, bias_D, epsilon, y_ND, statistics_2N);
  }
  void layer_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) override {
    cpu::layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND);
  }
  void rotary(Tensor x,
              int64_t head_size,
              std::span<const int32_t> positions,
              Tensor cos,
              Tensor sin,
              bool inverse) override {
    cpu::rotary(x, head_size, positions, cos, sin, inverse);
  }
  void attention(const AttentionShape& shape,
                 std::span<const Part> parts,
                 Tensor q_NHE,
                 std::span<const KeyValues> sources,
                 Tensor out_NHE,
                 Tensor lse_NH) override {
    cpu::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  }
  // The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
  void attention_input_gradient(const AttentionShape& shape,
                                std::span<const Part> parts,
                                Tensor q_NHE,
                                std::span<const KeyValues> sources,
                                Tensor out_NHE,
                                Tensor lse_NH,
                                Tensor dout_NHE,
                                Tensor dq_NHE,
                                std::span<const KeyValues> gradients) override {
    cpu::attention_input_gradient(
        shape, parts, q_NHE, sources, out_NHE, lse_NH, dout_NHE, dq_NHE, gradients);
  }
  void activate(Activation f, Tensor x, Tensor h_NF) override { cpu::activate(f, x, h_NF); }
  void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) override {
    cpu::activate_input_gradient(f, x, dh_NF, dx);
  }
  void cross_entropy(Tensor hidden_TD,
                     const WeightRows& head_VD,
                     double cap,
                     std::span<const int32_t> token_ids,
                     std::span<const float> weights,
                     Tensor log_probs_T,
                     Tensor dhidden_TD) override {
    cpu::cross_entropy(hidden_TD, head_VD, cap, token_ids, weights, log_probs_T, dhidden_TD);
  }
  void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV) override {
    cpu::logits(hidden_ND, head_VD, cap, logits_NV);
  }

 private:
  /// Dense float32 numbers of the shape of `like`.
  static Tensor dense(float* data, const Tensor& like) {
    return {data, DType::kFloat32, like.rows, like.cols, like.cols};
  }

  // Shared with the buffers, which may outlive this.
  std::shared_ptr<cpu::PagePool> pages_ = std::make_shared<cpu::PagePool>();
};

}  // namespace

std::unique_ptr<Ops> make_cpu_ops(int num_threads) {
  PRESCRIPT_CHECK(num_threads >= 1, "threads " + std::to_string(num_threads));
  cpu::gemm_kernel(DType::kFloat32);  // throws where this processor has none
  cpu::set_num_threads(num_threads);
  return std::make_unique<CpuOps>();
}

int default_num_threads() {
  return at::get_num_threads();
}

std::string describe_cpu_backend() {
  return "LibTorch " + std::to_string(TORCH_VERSION_MAJOR) + "." +
         std::to_string(TORCH_VERSION_MINOR) + "." + std::to_string(TORCH_VERSION_PATCH) + ", " +
         at::get_cpu_capability() + "; products by " + cpu::gemm_kernel(DType::kBFloat16).name;
}

}  // namespace prescript
