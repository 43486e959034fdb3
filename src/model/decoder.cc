#include "model/decoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/arena.h"

namespace prescript {
namespace {

// The head takes longer than a layer where targets and vocabulary are many.
constexpr int64_t kTargetsBetweenChecks = 512;

std::vector<int32_t> token_ids(const Pass& pass) {
  std::vector<int32_t> ids;
  for (const PassTarget& target : pass.targets) ids.push_back(target.token_id);
  return ids;
}

std::vector<float> weights_of(const Pass& pass) {
  std::vector<float> weights;
  for (const PassTarget& target : pass.targets) weights.push_back(target.weight);
  return weights;
}

std::vector<int32_t> output_rows_of_targets(const Pass& pass) {
  std::vector<int32_t> rows;
  for (const PassTarget& target : pass.targets) rows.push_back(target.output_row);
  return rows;
}

/// The positions of the output rows.
std::vector<int32_t> output_positions(const Pass& pass) {
  std::vector<int32_t> positions;
  for (const int32_t row : pass.output_rows) positions.push_back(pass.positions[row]);
  return positions;
}

}  // namespace

Decoder::Decoder(Ops& ops,
                 const DecoderConfig& config,
                 FrozenWeights& weights,
                 int64_t num_positions)
    : ops_(ops),
      config_(config),
      weights_(weights),
      attention_shape_{config.num_heads,
                       config.num_kv_heads,
                       config.head_size,
                       1 / std::sqrt(static_cast<double>(config.head_size))} {
  const int64_t half = config.rotary_size / 2;
  const DType sums = ops.accumulate_dtype();
  const auto lay_out = [&](Arena& arena) {
    cos_ = arena.take(num_positions, half, sums);
    sin_ = arena.take(num_positions, half, sums);
  };
  Arena measuring;
  lay_out(measuring);
  rotary_block_ = ops.allocate(measuring.used());
  Arena arena(rotary_block_.get(), measuring.used());
  lay_out(arena);

  const std::vector<float> frequencies = frequencies_of(config.rope, config.rotary_size);
  const auto factor = static_cast<float>(config.rope.attention_factor);
  std::vector<float> cosines(half);
  std::vector<float> sines(half);
  for (int64_t position = 0; position < num_positions; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      cosines[i] = std::cos(angle) * factor;
      sines[i] = std::sin(angle) * factor;
    }
    ops.upload(cosines.data(), cos_.row_range(position, 1));
    ops.upload(sines.data(), sin_.row_range(position, 1));
  }
}

void Decoder::forward(PassRun& run, std::span<const Tensor> prompts_PD) {
  weights_.embed(prompts_PD, run.pass().rows, run.layer_input(0));
  for (int64_t layer = 0; layer < config_.num_layers; ++layer) layer_forward(layer, run);
  ops_.rms_norm(run.layer_input(config_.num_layers),
                weights_.final_norm_D(),
                config_.norm_epsilon,
                run.final_AD,
                run.final_rstd_A);
}

// One layer:  mid = x + output(attention(norm(x)));  out = mid + down(swiglu(gate_up(norm(mid)))).
void Decoder::layer_forward(int64_t layer, PassRun& run) {
  if (interrupt_check_) interrupt_check_();
  attention_forward(layer, run);
  if (run.layer(layer).mid_AD.rows > 0) feed_forward(layer, run);
}

/// A bias that a family has not has no data.
void Decoder::add_bias(Tensor bias, Tensor x) {
  if (bias.data != nullptr) ops_.add_row(bias, x);
}

void Decoder::project_queries_keys_values(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const int64_t HE = config_.query_size();
  const Tensor bias = vector(layer, LayerVector::kQueryKeyValueBias);
  if (!is_last(layer)) {
    ops_.linear(
        run.normed_ND, weights_.projection(layer, Projection::kQueryKeyValue), a.qkv_N, false);
    add_bias(bias, a.qkv_N);
    return;
  }
  // Only rows that lead to an output go past K/V.
  ops_.linear(run.normed_ND, weights_.projection(layer, Projection::kKeyValue), a.qkv_N, false);
  ops_.gather_rows(run.normed_ND, run.pass().output_rows, run.final_AD);
  ops_.linear(run.final_AD, weights_.projection(layer, Projection::kQuery), a.raw_q_AHE, false);
  if (bias.data == nullptr) return;
  ops_.add_row(bias.col_range(0, HE), a.raw_q_AHE);
  ops_.add_row(bias.col_range(HE, a.qkv_N.cols), a.qkv_N);
}

void Decoder::turn_queries_and_keys(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const Pass& pass = run.pass();
  if (config_.query_key_norms) {
    const double epsilon = config_.norm_epsilon;
    ops_.rms_norm(
        a.raw_q_AHE, vector(layer, LayerVector::kQueryNorm), epsilon, a.q_AHE, a.q_rstd_AH);
    ops_.rms_norm(a.raw_k_NKE, vector(layer, LayerVector::kKeyNorm), epsilon, a.k_NKE, a.k_rstd_NK);
  }
  const auto positions = is_last(layer) ? output_positions(pass) : pass.positions;
  ops_.rotary(a.q_AHE, config_.head_size, positions, cos_, sin_, false);
  ops_.rotary(a.k_NKE, config_.head_size, pass.positions, cos_, sin_, false);
}

void Decoder::attention_forward(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const Pass& pass = run.pass();

  ops_.rms_norm(a.x_ND,
                vector(layer, LayerVector::kAttentionNorm),
                config_.norm_epsilon,
                run.normed_ND,
                a.attention_rstd_N);
  project_queries_keys_values(layer, run);
  turn_queries_and_keys(layer, run);
  for (const KeptRows& rows : pass.kept) {
    const KeyValues kept = run.kept()[rows.run]->layer(layer);
    ops_.copy(a.k_NKE.row_range(rows.row_begin, rows.num_rows),
              kept.k.row_range(rows.kept_begin, rows.num_rows));
    ops_.copy(a.v_NKE.row_range(rows.row_begin, rows.num_rows),
              kept.v.row_range(rows.kept_begin, rows.num_rows));
  }
  ops_.attention(attention_shape_,
                 is_last(layer) ? pass.output_parts : pass.parts,
                 a.q_AHE,
                 sources(layer, run),
                 a.attended_AHE,
                 a.lse_AH);
  if (is_last(layer)) {
    ops_.gather_rows(a.x_ND, pass.output_rows, a.mid_AD);
  } else {
    ops_.copy(a.x_ND, a.mid_AD);
  }
  ops_.linear(a.attended_AHE,
              weights_.projection(layer, Projection::kOutput),
              a.mid_AD,
              true);  // reduction point: sum over devices
  add_bias(vector(layer, LayerVector::kOutputBias), a.mid_AD);
}

void Decoder::feed_forward(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const Tensor normed_AD = run.normed_ND.row_range(0, a.mid_AD.rows);
  const Tensor hidden_AF = run.hidden_NF.row_range(0, a.mid_AD.rows);
  const Tensor out_AD = run.layer_input(layer + 1);

  ops_.rms_norm(a.mid_AD,
                vector(layer, LayerVector::kFeedForwardNorm),
                config_.norm_epsilon,
                normed_AD,
                a.ffn_rstd_A);
  ops_.linear(normed_AD, weights_.projection(layer, Projection::kGateUp), a.gate_up_A2F, false);
  add_bias(vector(layer, LayerVector::kGateUpBias), a.gate_up_A2F);
  ops_.swiglu(a.gate_up_A2F, hidden_AF);
  ops_.copy(a.mid_AD, out_AD);
  ops_.linear(hidden_AF,
              weights_.projection(layer, Projection::kDown),
              out_AD,
              true);  // reduction point: sum over devices
  add_bias(vector(layer, LayerVector::kDownBias), out_AD);
}

void Decoder::score_targets(PassRun& run) {
  const Pass& pass = run.pass();
  const auto rows = output_rows_of_targets(pass);
  ops_.gather_rows(run.final_AD, rows, run.hidden_TD);
  const std::vector<int32_t> ids = token_ids(pass);
  const std::vector<float> weights = weights_of(pass);
  const bool differentiates = run.d_hidden_TD.data != nullptr;
  const auto num_targets = static_cast<int64_t>(ids.size());
  for (int64_t begin = 0; begin < num_targets; begin += kTargetsBetweenChecks) {
    if (interrupt_check_) interrupt_check_();
    const int64_t count = std::min(kTargetsBetweenChecks, num_targets - begin);
    ops_.cross_entropy(run.hidden_TD.row_range(begin, count),
                       weights_.head_VD(),
                       std::span(ids).subspan(begin, count),
                       std::span(weights).subspan(begin, count),
                       run.log_probs_T.col_range(begin, count),
                       differentiates ? run.d_hidden_TD.row_range(begin, count) : Tensor{});
  }
}

void Decoder::backward(PassRun& run, std::span<const Tensor> gradients_PD) {
  const int64_t L = config_.num_layers;
  PRESCRIPT_CHECK(run.plan().keep == Keep::kActivations, "backward of a run that keeps nothing");
  ops_.zero(run.d_final_AD);
  ops_.scatter_add_rows(run.d_hidden_TD, output_rows_of_targets(run.pass()), run.d_final_AD);
  ops_.zero(run.dx_AD);
  ops_.rms_norm_input_gradient(
      run.layer_input(L), weights_.final_norm_D(), run.final_rstd_A, run.d_final_AD, run.dx_AD);
  for (int64_t layer = L; layer-- > 0;) layer_backward(layer, run);
  ops_.embed_input_gradient(run.dx_ND, run.pass().rows, gradients_PD);
}

void Decoder::layer_backward(int64_t layer, PassRun& run) {
  if (!is_last(layer) && layer >= run.plan().kept_layers) {
    layer_forward(layer, run);  // its activations were not kept
  } else if (interrupt_check_) {
    interrupt_check_();
  }
  const Tensor dx_AD = is_last(layer) ? run.dx_AD : run.dx_ND;
  feed_forward_backward(layer, run, dx_AD);
  attention_backward(layer, run, dx_AD);
}

// On entry dx holds the gradient of the layer's output, on return that of mid.
void Decoder::feed_forward_backward(int64_t layer, PassRun& run, Tensor dx_AD) {
  const LayerActivations& a = run.layer(layer);
  const Tensor d_hidden_AF = run.hidden_NF.row_range(0, dx_AD.rows);
  const Tensor d_normed_AD = run.normed_ND.row_range(0, dx_AD.rows);

  ops_.linear_input_gradient(dx_AD, weights_.projection(layer, Projection::kDown), d_hidden_AF);
  ops_.swiglu_input_gradient(a.gate_up_A2F, d_hidden_AF, a.gate_up_A2F);
  ops_.linear_input_gradient(
      a.gate_up_A2F, weights_.projection(layer, Projection::kGateUp), d_normed_AD);
  ops_.rms_norm_input_gradient(
      a.mid_AD, vector(layer, LayerVector::kFeedForwardNorm), a.ffn_rstd_A, d_normed_AD, dx_AD);
}

// On entry dx holds the gradient of mid, on return run.dx_ND that of the layer's input.
void Decoder::attention_backward(int64_t layer, PassRun& run, Tensor dx_AD) {
  const LayerActivations& a = run.layer(layer);
  const Pass& pass = run.pass();
  const int64_t HE = config_.query_size();
  const int64_t KE = config_.kv_size();
  const Tensor d_attended_AHE = run.d_attended_NHE.row_range(0, dx_AD.rows);
  const Tensor dq_AHE = run.dq_NHE.row_range(0, dx_AD.rows);

  ops_.linear_input_gradient(
      dx_AD, weights_.projection(layer, Projection::kOutput), d_attended_AHE);

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
  ops_.attention_input_gradient(attention_shape_,
                                is_last(layer) ? pass.output_parts : pass.parts,
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
  ops_.rms_norm_input_gradient(a.x_ND,
                               vector(layer, LayerVector::kAttentionNorm),
                               a.attention_rstd_N,
                               d_normed_ND,
                               run.dx_ND);
}

/// From the gradient of turned queries to that of the projection.
void Decoder::query_backward(int64_t layer, PassRun& run, Tensor dq_AHE, Tensor to) {
  const Pass& pass = run.pass();
  const LayerActivations& a = run.layer(layer);
  const auto positions = is_last(layer) ? output_positions(pass) : pass.positions;
  ops_.rotary(dq_AHE, config_.head_size, positions, cos_, sin_, true);
  if (!config_.query_key_norms) return ops_.copy(dq_AHE, to);
  ops_.zero(to);
  ops_.rms_norm_input_gradient(
      a.raw_q_AHE, vector(layer, LayerVector::kQueryNorm), a.q_rstd_AH, dq_AHE, to);
}

void Decoder::key_backward(int64_t layer, PassRun& run, Tensor to) {
  const LayerActivations& a = run.layer(layer);
  ops_.rotary(run.dk_NKE, config_.head_size, run.pass().positions, cos_, sin_, true);
  if (!config_.query_key_norms) return ops_.copy(run.dk_NKE, to);
  const Tensor dk_NKE = run.dq_NHE.col_range(0, config_.kv_size());
  ops_.copy(run.dk_NKE, dk_NKE);
  ops_.zero(to);
  ops_.rms_norm_input_gradient(
      a.raw_k_NKE, vector(layer, LayerVector::kKeyNorm), a.k_rstd_NK, dk_NKE, to);
}

std::vector<KeyValues> Decoder::sources(int64_t layer, const PassRun& run) const {
  std::vector<KeyValues> sources{{run.layer(layer).k_NKE, run.layer(layer).v_NKE}};
  for (const KeyValueRun* kept : run.kept()) sources.push_back(kept->layer(layer));
  return sources;
}

void Decoder::logits(const PassRun& run, std::span<const int32_t> output_rows, Tensor logits_NV) {
  const auto num_rows = static_cast<int64_t>(output_rows.size());
  Arena measuring;
  measuring.take(num_rows, config_.hidden_size, dtype());
  const Buffer block = ops_.allocate(measuring.used());
  Arena arena(block.get(), measuring.used());
  const Tensor hidden_ND = arena.take(num_rows, config_.hidden_size, dtype());
  ops_.gather_rows(run.final_AD, output_rows, hidden_ND);
  ops_.logits(hidden_ND, weights_.head_VD(), logits_NV);
}

}  // namespace prescript
