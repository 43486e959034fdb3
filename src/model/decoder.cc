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

/// Fills `tables`.
void compute_tables(Ops& ops, const Rope& rope, int64_t rotary_size, const RotaryTables& tables) {
  const std::vector<float> frequencies = frequencies_of(rope, rotary_size);
  const auto factor = static_cast<float>(rope.attention_factor);
  const size_t half = frequencies.size();
  std::vector<float> cosines(half);
  std::vector<float> sines(half);
  for (int64_t position = 0; position < tables.cos.rows; ++position) {
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * frequencies[i];
      cosines[i] = std::cos(angle) * factor;
      sines[i] = std::sin(angle) * factor;
    }
    ops.upload(cosines.data(), tables.cos.row_range(position, 1));
    ops.upload(sines.data(), tables.sin.row_range(position, 1));
  }
}

}  // namespace

Decoder::Decoder(Ops& ops,
                 const DecoderConfig& config,
                 FrozenWeights& weights,
                 int64_t num_positions)
    : ops_(ops), config_(config), weights_(weights), num_positions_(num_positions) {
  if (config.rotary_size == 0) return;
  const int64_t half = config.rotary_size / 2;
  const DType sums = ops.accumulate_dtype();
  const auto lay_out = [&](Arena& arena) {
    tables_ = {arena.take(num_positions, half, sums), arena.take(num_positions, half, sums)};
    local_tables_ = tables_;
    if (!config.local_rope) return;
    local_tables_ = {arena.take(num_positions, half, sums), arena.take(num_positions, half, sums)};
  };
  Arena measuring;
  lay_out(measuring);
  rotary_block_ = ops.allocate(measuring.used());
  Arena arena(rotary_block_.get(), measuring.used());
  lay_out(arena);
  compute_tables(ops, config.rope, config.rotary_size, tables_);
  if (config.local_rope) {
    compute_tables(ops, *config.local_rope, config.rotary_size, local_tables_);
  }
}

void Decoder::forward(std::span<PassRun* const> runs, std::span<const Tensor> prompts_PD) {
  const int64_t L = config_.num_layers;
  ops_.begin_phase(Phase::kForward);
  for (PassRun* run : runs) embed(*run, prompts_PD);
  for (int64_t layer = 0; layer < L; ++layer) {
    // Behind the last layer the way goes back, or begins anew.
    const bool turns = runs.front()->plan().keep == Keep::kActivations;
    const int64_t behind_last = turns ? std::max<int64_t>(L - 2, 0) : 0;
    weights_.expect(is_last(layer) ? behind_last : layer + 1);
    for (PassRun* run : runs) layer_forward(layer, *run);
  }
  for (PassRun* run : runs) {
    norm(run->layer_input(L),
         weights_.final_norm_D(),
         weights_.final_norm_bias_D(),
         run->final_AD,
         run->final_A);
  }
  ops_.begin_phase({});
}

void Decoder::embed(PassRun& run, std::span<const Tensor> prompts_PD) {
  weights_.embed(prompts_PD, run.pass().rows, run.layer_input(0));
  if (config_.features.learned_positions) {
    ops_.gather_rows(weights_.positions_PD(), run.pass().positions, run.layer_input(0), true);
  }
}

// One layer:  mid = x + output(attention(norm(x)));
//             out = mid + down(activation(gate_up(norm(mid)))).
// In families with post norms a norm stands before each sum; where the residual is parallel the
// feed-forward reads x in place of mid.
void Decoder::layer_forward(int64_t layer, PassRun& run) {
  if (interrupt_check_) interrupt_check_();
  attention_forward(layer, run);
  if (run.layer(layer).mid_AD.rows > 0) feed_forward(layer, run);
}

void Decoder::norm(Tensor x, Tensor weight_D, Tensor bias_D, Tensor y, Tensor statistics) {
  if (config_.features.norm == NormKind::kLayer) {
    ops_.layer_norm(x, weight_D, bias_D, config_.norm_epsilon, y, statistics);
  } else {
    ops_.rms_norm(x, weight_D, config_.norm_epsilon, y, statistics);
  }
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
  if (config_.features.query_key_norms) {
    const double epsilon = config_.norm_epsilon;
    ops_.rms_norm(
        a.raw_q_AHE, vector(layer, LayerVector::kQueryNorm), epsilon, a.q_AHE, a.q_rstd_AH);
    ops_.rms_norm(a.raw_k_NKE, vector(layer, LayerVector::kKeyNorm), epsilon, a.k_NKE, a.k_rstd_NK);
  }
  turn(a.q_AHE, layer, run.query_positions(layer), false);
  turn(a.k_NKE, layer, pass.positions, false);
}

void Decoder::turn(Tensor heads, int64_t layer, std::span<const int32_t> positions, bool inverse) {
  if (config_.rotary_size == 0) return;
  const RotaryTables& tables = config_.layer_slides(layer) ? local_tables_ : tables_;
  ops_.rotary(heads, config_.head_size, positions, tables.cos, tables.sin, inverse);
}

void Decoder::attention_forward(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const Pass& pass = run.pass();

  norm(a.x_ND,
       vector(layer, LayerVector::kAttentionNorm),
       vector(layer, LayerVector::kAttentionNormBias),
       run.normed_ND,
       a.attention_N);
  project_queries_keys_values(layer, run);
  turn_queries_and_keys(layer, run);
  for (const KeptRows& rows : pass.kept) {
    const KeyValues kept = run.kept()[rows.run]->layer(layer);
    ops_.copy(a.k_NKE.row_range(rows.row_begin, rows.num_rows),
              kept.k.row_range(rows.kept_begin, rows.num_rows));
    ops_.copy(a.v_NKE.row_range(rows.row_begin, rows.num_rows),
              kept.v.row_range(rows.kept_begin, rows.num_rows));
  }
  ops_.attention(config_.attention_shape(layer),
                 run.parts(layer),
                 a.q_AHE,
                 sources(layer, run),
                 a.attended_AHE,
                 a.lse_AH);
  if (is_last(layer)) {
    ops_.gather_rows(a.x_ND, pass.output_rows, a.mid_AD);
  } else {
    ops_.copy(a.x_ND, a.mid_AD);
  }
  const bool has_norm = config_.features.post_norms;
  const Tensor out_AD = has_norm ? a.attention_out_AD : a.mid_AD;
  ops_.linear(a.attended_AHE,
              weights_.projection(layer, Projection::kOutput),
              out_AD,
              !has_norm);  // reduction point: sum over devices
  add_bias(vector(layer, LayerVector::kOutputBias), out_AD);
  if (has_norm) {
    const Tensor weight_D = vector(layer, LayerVector::kPostAttentionNorm);
    ops_.rms_norm(out_AD, weight_D, config_.norm_epsilon, a.mid_AD, a.attention_out_A, true);
  }
}

void Decoder::feed_forward(int64_t layer, PassRun& run) {
  const LayerActivations& a = run.layer(layer);
  const Tensor normed_AD = run.normed_ND.row_range(0, a.mid_AD.rows);
  const Tensor hidden_AF = run.hidden_NF.row_range(0, a.mid_AD.rows);
  const Tensor sum_AD = run.layer_input(layer + 1);

  if (config_.features.parallel_residual && is_last(layer)) {
    ops_.gather_rows(a.x_ND, run.pass().output_rows, a.feed_forward_x_AD);
  }
  norm(a.feed_forward_x_AD,
       vector(layer, LayerVector::kFeedForwardNorm),
       vector(layer, LayerVector::kFeedForwardNormBias),
       normed_AD,
       a.feed_forward_A);
  ops_.linear(normed_AD, weights_.projection(layer, Projection::kGateUp), a.gate_up_A2F, false);
  add_bias(vector(layer, LayerVector::kGateUpBias), a.gate_up_A2F);
  ops_.activate(config_.features.activation, a.gate_up_A2F, hidden_AF);
  ops_.copy(a.mid_AD, sum_AD);
  const bool has_norm = config_.features.post_norms;
  const Tensor out_AD = has_norm ? a.feed_forward_out_AD : sum_AD;
  ops_.linear(hidden_AF,
              weights_.projection(layer, Projection::kDown),
              out_AD,
              !has_norm);  // reduction point: sum over devices
  add_bias(vector(layer, LayerVector::kDownBias), out_AD);
  if (has_norm) {
    const Tensor weight_D = vector(layer, LayerVector::kPostFeedForwardNorm);
    ops_.rms_norm(out_AD, weight_D, config_.norm_epsilon, sum_AD, a.feed_forward_out_A, true);
  }
}

void Decoder::score_targets(PassRun& run) {
  const Pass& pass = run.pass();
  ops_.begin_phase(Phase::kHead);
  ops_.gather_rows(run.final_AD, run.target_rows(), run.hidden_TD);
  const std::vector<int32_t> ids = token_ids(pass);
  const std::vector<float> weights = weights_of(pass);
  const bool differentiates = run.d_hidden_TD.data != nullptr;
  const auto num_targets = static_cast<int64_t>(ids.size());
  for (int64_t begin = 0; begin < num_targets; begin += kTargetsBetweenChecks) {
    if (interrupt_check_) interrupt_check_();
    const int64_t count = std::min(kTargetsBetweenChecks, num_targets - begin);
    ops_.cross_entropy(run.hidden_TD.row_range(begin, count),
                       weights_.head_VD(),
                       config_.logit_cap,
                       std::span(ids).subspan(begin, count),
                       std::span(weights).subspan(begin, count),
                       run.log_probs_T.col_range(begin, count),
                       differentiates ? run.d_hidden_TD.row_range(begin, count) : Tensor{});
  }
  ops_.begin_phase({});
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
  ops_.logits(hidden_ND, weights_.head_VD(), config_.logit_cap, logits_NV);
}

}  // namespace prescript
