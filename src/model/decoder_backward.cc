// The input gradient of the layers: each function undoes one of decoder.cc.

#include <algorithm>

#include "model/decoder.h"

namespace prescript {

/// Adds to dx.
void Decoder::norm_backward(Tensor x, Tensor weight_D, Tensor statistics, Tensor dy, Tensor dx) {
  if (config_.features.norm == NormKind::kLayer) {
    ops_.layer_norm_input_gradient(x, weight_D, statistics, dy, dx);
  } else {
    ops_.rms_norm_input_gradient(x, weight_D, statistics, dy, dx);
  }
}

void Decoder::backward(std::span<PassRun* const> runs, std::span<const Tensor> gradients_PD) {
  ops_.begin_phase(Phase::kBackward);
  for (PassRun* run : runs) final_norm_backward(*run);
  for (int64_t layer = config_.num_layers; layer-- > 0;) {
    // Behind layer 0 the way begins anew, in the same layer.
    weights_.expect(layer > 0 ? layer - 1 : std::min<int64_t>(1, config_.num_layers - 1));
    for (PassRun* run : runs) layer_backward(layer, *run);
  }
  for (PassRun* run : runs) {
    ops_.embed_input_gradient(run->dx_ND, run->pass().rows, gradients_PD);
  }
  ops_.begin_phase({});
}

void Decoder::final_norm_backward(PassRun& run) {
  PRESCRIPT_CHECK(run.plan().keep == Keep::kActivations, "backward of a run that keeps nothing");
  ops_.zero(run.d_final_AD);
  ops_.scatter_add_rows(run.d_hidden_TD, run.target_rows(), run.d_final_AD);
  ops_.zero(run.dx_AD);
  norm_backward(run.layer_input(config_.num_layers),
                weights_.final_norm_D(),
                run.final_A,
                run.d_final_AD,
                run.dx_AD);
}

void Decoder::layer_backward(int64_t layer, PassRun& run) {
  if (!is_last(layer) && layer >= run.plan().kept_layers) {
    layer_forward(layer, run);  // its activations were not kept
  } else if (interrupt_check_) {
    interrupt_check_();
  }
  const Tensor dx_AD = is_last(layer) ? run.dx_AD : run.dx_ND;
  // What attention adds does not pass the feed-forward where that reads x.
  if (config_.features.parallel_residual) output_backward(layer, run, dx_AD);
  feed_forward_backward(layer, run, dx_AD);
  if (!config_.features.parallel_residual) output_backward(layer, run, dx_AD);
  attention_backward(layer, run, dx_AD);
}

// On entry dx holds the gradient of the layer's output, on return that of what the feed-forward
// reads.
void Decoder::feed_forward_backward(int64_t layer, PassRun& run, Tensor dx_AD) {
  const LayerActivations& a = run.layer(layer);
  const Tensor d_hidden_AF = run.hidden_NF.row_range(0, dx_AD.rows);
  const Tensor d_normed_AD = run.normed_ND.row_range(0, dx_AD.rows);

  Tensor d_out_AD = dx_AD;
  if (config_.features.post_norms) {
    d_out_AD = d_normed_AD;  // not yet in use
    ops_.zero(d_out_AD);
    const Tensor weight_D = vector(layer, LayerVector::kPostFeedForwardNorm);
    norm_backward(a.feed_forward_out_AD, weight_D, a.feed_forward_out_A, dx_AD, d_out_AD);
  }
  ops_.linear_input_gradient(d_out_AD, weights_.projection(layer, Projection::kDown), d_hidden_AF);
  ops_.activate_input_gradient(
      config_.features.activation, a.gate_up_A2F, d_hidden_AF, a.gate_up_A2F);
  ops_.linear_input_gradient(
      a.gate_up_A2F, weights_.projection(layer, Projection::kGateUp), d_normed_AD);
  norm_backward(a.feed_forward_x_AD,
                vector(layer, LayerVector::kFeedForwardNorm),
                a.feed_forward_A,
                d_normed_AD,
                dx_AD);
}

// dx holds the gradient of mid; on return run.d_attended_NHE that of what attention gives.
void Decoder::output_backward(int64_t layer, PassRun& run, Tensor dx_AD) {
  const LayerActivations& a = run.layer(layer);
  Tensor d_out_AD = dx_AD;
  if (config_.features.post_norms) {
    d_out_AD = run.normed_ND.row_range(0, dx_AD.rows);
    ops_.zero(d_out_AD);
    const Tensor weight_D = vector(layer, LayerVector::kPostAttentionNorm);
    norm_backward(a.attention_out_AD, weight_D, a.attention_out_A, dx_AD, d_out_AD);
  }
  ops_.linear_input_gradient(d_out_AD,
                             weights_.projection(layer, Projection::kOutput),
                             run.d_attended_NHE.row_range(0, dx_AD.rows));
}

// On entry dx holds what reaches the layer's input past attention, on return run.dx_ND the gradient
// of that input.
void Decoder::attention_backward(int64_t layer, PassRun& run, Tensor dx_AD) {
  const LayerActivations& a = run.layer(layer);
  const Pass& pass = run.pass();
  const int64_t HE = config_.query_size();
  const int64_t KE = config_.kv_size();
  const Tensor d_attended_AHE = run.d_attended_NHE.row_range(0, dx_AD.rows);
  const Tensor dq_AHE = run.dq_NHE.row_range(0, dx_AD.rows);

  // K/V gradients gather in a dtype of their own: first what other passes added, then this pass's
  // parts.
  std::vector<KeyValues> gradients{{run.dk_NKE, run.dv_NKE}};
  for (const KeyValueRun* kept : run.kept()) gradients.push_back(kept->gradient(layer));
  ops_.zero(run.dk_NKE);
  ops_.zero(run.dv_NKE);
  for (const KeptRows& rows : pass.kept) {
    const KeyValues kept = gradients[1 + rows.run];
    if (kept.k.data == nullptr) continue;
    ops_.copy(kept.k.row_range(rows.kept_begin, rows.num_rows),
              run.dk_NKE.row_range(rows.row_begin, rows.num_rows));
    ops_.copy(kept.v.row_range(rows.kept_begin, rows.num_rows),
              run.dv_NKE.row_range(rows.row_begin, rows.num_rows));
  }
  ops_.attention_input_gradient(config_.attention_shape(layer),
                                run.parts(layer),
                                a.q_AHE,
                                sources(layer, run),
                                a.attended_AHE,
                                a.lse_AH,
                                d_attended_AHE,
                                dq_AHE,
                                gradients);

  const Tensor d_normed_ND = run.normed_ND;
  const Tensor dkv_N = run.d_qkv_N.col_range(HE, 2 * KE);
  // Queries first: keys behind a norm take their room.
  if (is_last(layer)) {
    const Tensor cast_dq_AHE = d_attended_AHE;  // done with
    query_backward(layer, run, dq_AHE, cast_dq_AHE);
    ops_.linear_input_gradient(
        cast_dq_AHE, weights_.projection(layer, Projection::kQuery), run.final_AD);
  } else {
    query_backward(layer, run, dq_AHE, run.d_qkv_N.col_range(0, HE));
  }
  key_backward(layer, run, dkv_N.col_range(0, KE));
  ops_.copy(run.dv_NKE, dkv_N.col_range(KE, KE));
  if (is_last(layer)) {
    ops_.linear_input_gradient(
        dkv_N, weights_.projection(layer, Projection::kKeyValue), d_normed_ND);
    ops_.scatter_add_rows(run.final_AD, pass.output_rows, d_normed_ND);
    ops_.zero(run.dx_ND);
    ops_.scatter_add_rows(dx_AD, pass.output_rows, run.dx_ND);
  } else {
    ops_.linear_input_gradient(
        run.d_qkv_N, weights_.projection(layer, Projection::kQueryKeyValue), d_normed_ND);
  }
  norm_backward(
      a.x_ND, vector(layer, LayerVector::kAttentionNorm), a.attention_N, d_normed_ND, run.dx_ND);
}

/// From the gradient of turned queries to that of the projection.
void Decoder::query_backward(int64_t layer, PassRun& run, Tensor dq_AHE, Tensor to) {
  const LayerActivations& a = run.layer(layer);
  turn(dq_AHE, layer, run.query_positions(layer), true);
  if (!config_.features.query_key_norms) return ops_.copy(dq_AHE, to);
  ops_.zero(to);
  ops_.rms_norm_input_gradient(
      a.raw_q_AHE, vector(layer, LayerVector::kQueryNorm), a.q_rstd_AH, dq_AHE, to);
}

void Decoder::key_backward(int64_t layer, PassRun& run, Tensor to) {
  const LayerActivations& a = run.layer(layer);
  turn(run.dk_NKE, layer, run.pass().positions, true);
  if (!config_.features.query_key_norms) return ops_.copy(run.dk_NKE, to);
  const Tensor dk_NKE = run.dq_NHE.col_range(0, config_.kv_size());
  ops_.copy(run.dk_NKE, dk_NKE);
  ops_.zero(to);
  ops_.rms_norm_input_gradient(
      a.raw_k_NKE, vector(layer, LayerVector::kKeyNorm), a.k_rstd_NK, dk_NKE, to);
}

}  // namespace prescript
