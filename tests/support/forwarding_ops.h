#pragma once
// A backend that hands everything to another: tests change the one thing they are about.

#include <memory>
#include <utility>

#include "ops/ops.h"

namespace prescript {

class ForwardingOps : public Ops {
 public:
  explicit ForwardingOps(std::unique_ptr<Ops> ops) : ops_(std::move(ops)) {}

  std::string_view name() const override { return ops_->name(); }
  DType accumulate_dtype() const override { return ops_->accumulate_dtype(); }
  DType kv_gradient_dtype() const override { return ops_->kv_gradient_dtype(); }
  std::optional<DeviceMemory> device_memory() const override { return ops_->device_memory(); }
  void begin_phase(std::optional<Phase> phase) override { ops_->begin_phase(phase); }
  PhaseSeconds take_phase_seconds() override { return ops_->take_phase_seconds(); }
  Buffer allocate(size_t bytes) override { return ops_->allocate(bytes); }
  void zero(Tensor x) override { ops_->zero(x); }
  void copy(Tensor x, Tensor y) override { ops_->copy(x, y); }
  void upload(const float* x, Tensor y) override { ops_->upload(x, y); }
  void download(Tensor x, float* y) override { ops_->download(x, y); }
  void lay_out(const ReadRows& read, Weight weight) override { ops_->lay_out(read, weight); }
  void embed(Weight embedding_VD,
             double scale,
             std::span<const Tensor> prompts_PD,
             std::span<const Row> rows,
             Tensor x_ND) override {
    ops_->embed(embedding_VD, scale, prompts_PD, rows, x_ND);
  }
  void embed_input_gradient(Tensor dx_ND,
                            std::span<const Row> rows,
                            std::span<const Tensor> gradients_PD) override {
    ops_->embed_input_gradient(dx_ND, rows, gradients_PD);
  }
  void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add) override {
    ops_->gather_rows(x_ND, indices, y, add);
  }
  void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) override {
    ops_->scatter_add_rows(x, indices, y_ND);
  }
  void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) override {
    ops_->linear(x_NI, weight_OI, y_NO, add);
  }
  void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) override {
    ops_->linear_input_gradient(dy_NO, weight_OI, dx_NI);
  }
  void add_row(Tensor row_D, Tensor y_ND) override { ops_->add_row(row_D, y_ND); }
  void rms_norm(
      Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add) override {
    ops_->rms_norm(x_ND, weight_D, epsilon, y_ND, rstd_N, add);
  }
  void rms_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) override {
    ops_->rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
  }
  void layer_norm(Tensor x_ND,
                  Tensor weight_D,
                  Tensor bias_D,
                  double epsilon,
                  Tensor y_ND,
                  Tensor statistics_2N) override {
    ops_->layer_norm(x_ND, weight_D, bias_D, epsilon, y_ND, statistics_2N);
  }
  void layer_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) override {
    ops_->layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND);
  }
  void rotary(Tensor x,
              int64_t head_size,
              std::span<const int32_t> positions,
              Tensor cos,
              Tensor sin,
              bool inverse) override {
    ops_->rotary(x, head_size, positions, cos, sin, inverse);
  }
  void attention(const AttentionShape& shape,
                 std::span<const Part> parts,
                 Tensor q_NHE,
                 std::span<const KeyValues> sources,
                 Tensor out_NHE,
                 Tensor lse_NH) override {
    ops_->attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
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
    ops_->attention_input_gradient(
        shape, parts, q_NHE, sources, out_NHE, lse_NH, dout_NHE, dq_NHE, gradients);
  }
  void activate(Activation f, Tensor x, Tensor h_NF) override { ops_->activate(f, x, h_NF); }
  void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) override {
    ops_->activate_input_gradient(f, x, dh_NF, dx);
  }
  void cross_entropy(Tensor hidden_TD,
                     const WeightRows& head_VD,
                     double cap,
                     std::span<const int32_t> token_ids,
                     std::span<const float> weights,
                     Tensor log_probs_T,
                     Tensor dhidden_TD) override {
    ops_->cross_entropy(hidden_TD, head_VD, cap, token_ids, weights, log_probs_T, dhidden_TD);
  }
  void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV) override {
    ops_->logits(hidden_ND, head_VD, cap, logits_NV);
  }

 private:
  std::unique_ptr<Ops> ops_;
};

}  // namespace prescript
