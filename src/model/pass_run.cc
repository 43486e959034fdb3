#include "model/pass_run.h"

#include <algorithm>

namespace prescript {

struct PassRun::Extents {
  int64_t rows;
  int64_t output_rows;
  int64_t targets;
};

namespace {

/// Activations of a layer over N rows, of which A go past K/V.
LayerActivations lay_out_layer(Arena& arena,
                               const BackendTraits& ops,
                               const DecoderConfig& config,
                               DType dtype,
                               int64_t N,
                               int64_t A,
                               bool is_last) {
  const int64_t HE = config.query_size();
  const int64_t KE = config.kv_size();
  const int64_t D = config.hidden_size;
  const auto statistics = [&](int64_t rows) {
    return arena.take(
        config.features.norm == NormKind::kLayer ? 2 : 1, rows, ops.accumulate_dtype());
  };
  LayerActivations layer;
  layer.attention_N = statistics(N);
  if (is_last) {
    layer.qkv_N = arena.take(N, 2 * KE, dtype);
    layer.raw_q_AHE = arena.take(A, HE, dtype);
    layer.raw_k_NKE = layer.qkv_N.col_range(0, KE);
    layer.v_NKE = layer.qkv_N.col_range(KE, KE);
  } else {
    layer.qkv_N = arena.take(N, HE + 2 * KE, dtype);
    layer.raw_q_AHE = layer.qkv_N.col_range(0, HE);
    layer.raw_k_NKE = layer.qkv_N.col_range(HE, KE);
    layer.v_NKE = layer.qkv_N.col_range(HE + KE, KE);
  }
  layer.q_AHE = layer.raw_q_AHE;
  layer.k_NKE = layer.raw_k_NKE;
  if (config.features.query_key_norms) {
    layer.q_AHE = arena.take(A, HE, dtype);
    layer.k_NKE = arena.take(N, KE, dtype);
    layer.q_rstd_AH = arena.take(1, A * config.num_heads, ops.accumulate_dtype());
    layer.k_rstd_NK = arena.take(1, N * config.num_kv_heads, ops.accumulate_dtype());
  }
  layer.attended_AHE = arena.take(A, HE, dtype);
  layer.lse_AH = arena.take(A, config.num_heads, ops.accumulate_dtype());
  layer.mid_AD = arena.take(A, D, dtype);
  layer.feed_forward_x_AD = layer.mid_AD;
  if (config.features.parallel_residual && is_last) {
    layer.feed_forward_x_AD = arena.take(A, D, dtype);
  }
  layer.feed_forward_A = statistics(A);
  layer.gate_up_A2F = arena.take(A, config.gate_up_size(), dtype);
  if (config.features.post_norms) {
    layer.attention_out_AD = arena.take(A, D, dtype);
    layer.attention_out_A = statistics(A);
    layer.feed_forward_out_AD = arena.take(A, D, dtype);
    layer.feed_forward_out_A = statistics(A);
  }
  return layer;
}

}  // namespace

void PassRun::lay_out(Arena& own,
                      Arena& scratch,
                      const BackendTraits& ops,
                      const DecoderConfig& config,
                      DType dtype,
                      const Extents& extents) {
  const int64_t N = extents.rows;
  const int64_t A = extents.output_rows;
  const int64_t T = extents.targets;
  const int64_t D = config.hidden_size;
  const int64_t L = config.num_layers;
  const bool training = plan_.keep == Keep::kActivations;
  const DType sums = ops.accumulate_dtype();

  // Inputs: each layer's own in training; one for all in inference, where a layer's output replaces
  // its input.
  inputs_.resize(L + 1);
  for (int64_t l = 0; l < L; ++l) {
    inputs_[l] = training || l == 0 ? own.take(N, D, dtype) : inputs_[0];
  }
  inputs_[L] = own.take(A, D, dtype);

  layers_.resize(L);
  LayerActivations shared;
  const int64_t num_kept = training ? plan_.kept_layers : 0;
  if (num_kept < L - 1) shared = lay_out_layer(scratch, ops, config, dtype, N, N, false);
  for (int64_t l = 0; l < L; ++l) {
    const bool is_last = l + 1 == L;
    if (l >= num_kept && !is_last) {
      layers_[l] = shared;
    } else {
      Arena& arena = training ? own : scratch;
      layers_[l] = lay_out_layer(arena, ops, config, dtype, N, is_last ? A : N, is_last);
    }
    layers_[l].x_ND = inputs_[l];
    if (config.features.parallel_residual && !is_last) layers_[l].feed_forward_x_AD = inputs_[l];
  }

  normed_ND = scratch.take(N, D, dtype);
  hidden_NF = scratch.take(L > 1 ? N : A, config.feed_forward_size, dtype);
  final_A = own.take(config.features.norm == NormKind::kLayer ? 2 : 1, A, sums);
  final_AD = own.take(A, D, dtype);
  hidden_TD = scratch.take(T, D, dtype);
  log_probs_T = own.take(1, T, sums);
  if (!training) return;

  d_attended_NHE = scratch.take(L > 1 ? N : A, config.query_size(), dtype);
  dq_NHE =
      scratch.take(L > 1 || config.features.query_key_norms ? N : A, config.query_size(), sums);
  dk_NKE = scratch.take(N, config.kv_size(), ops.kv_gradient_dtype());
  dv_NKE = scratch.take(N, config.kv_size(), ops.kv_gradient_dtype());
  d_qkv_N = scratch.take(N, config.query_size() + 2 * config.kv_size(), dtype);
  dx_ND = own.take(N, D, dtype);
  dx_AD = own.take(A, D, dtype);
  d_final_AD = scratch.take(A, D, sums);
  d_hidden_TD = own.take(T, D, dtype);
}

PassRun::PassRun(Ops& ops,
                 const DecoderConfig& config,
                 DType dtype,
                 const Pass& pass,
                 std::span<KeyValueRun* const> kept,
                 KeepPlan plan,
                 void* scratch)
    : pass_(&pass), kept_(kept), plan_(plan), parts_(config, pass) {
  const Extents extents{
      pass.num_rows(), pass.num_output_rows(), static_cast<int64_t>(pass.targets.size())};
  const auto [N, A, T] = extents;
  const PassBytes size = bytes(ops, config, dtype, N, A, T, plan);
  block_ = ops.allocate(scratch == nullptr ? size.total() : size.own);
  if (scratch == nullptr) scratch = static_cast<std::byte*>(block_.get()) + size.own;
  Arena own(block_.get(), size.own);
  Arena shared(scratch, size.scratch);
  lay_out(own, shared, ops, config, dtype, extents);
  for (const int32_t row : pass.output_rows) output_positions_.push_back(pass.positions[row]);
  for (const PassTarget& target : pass.targets) target_rows_.push_back(target.output_row);
}

PassBytes PassRun::bytes(const BackendTraits& ops,
                         const DecoderConfig& config,
                         DType dtype,
                         int64_t num_rows,
                         int64_t num_output_rows,
                         int64_t num_targets,
                         KeepPlan plan) {
  PassRun measured;
  measured.plan_ = plan;
  Arena own;
  Arena scratch;
  measured.lay_out(own, scratch, ops, config, dtype, {num_rows, num_output_rows, num_targets});
  return {own.used(), scratch.used()};
}

}  // namespace prescript
