#pragma once
// The frozen decoder over passes: forward, and input gradient down to the soft prompts.

#include <functional>
#include <span>
#include <vector>

#include "model/frozen_weights.h"
#include "model/pass_run.h"

namespace prescript {

/// Cosines and sines of positions, [positions, pairs] in the accumulate dtype.
struct RotaryTables {
  Tensor cos;
  Tensor sin;
};

/// Runs passes of the prefix forest through frozen weights. Forward and input gradient are written
/// out by hand; only attention knows the tree. Several runs go through each layer one behind the
/// other, so that weights that are streamed are read once for all of them.
class Decoder {
 public:
  /// `ops` and `weights` must outlive this. `num_positions` bounds the positions of rows.
  Decoder(Ops& ops, const DecoderConfig& config, FrozenWeights& weights, int64_t num_positions);

  /// Embeds the rows and runs all layers and the final norm of the output rows. prompts_PD are
  /// float32. A run may stand on K/V that those before it keep.
  void forward(std::span<PassRun* const> runs, std::span<const Tensor> prompts_PD);
  void forward(PassRun& run, std::span<const Tensor> prompts_PD) {
    PassRun* const runs[] = {&run};
    forward(runs, prompts_PD);
  }

  /// The log-probabilities of the pass's targets, behind `forward`. In a run that keeps activations
  /// also the gradient that `backward` starts from.
  void score_targets(PassRun& run);

  /// Adds the gradients of −Σ weight·log_prob to gradients_PD (accumulate dtype) and to those of
  /// kept runs, from which it takes what other passes have added for this pass's kept rows: of
  /// several runs, one that keeps rows stands behind those that stand on it.
  void backward(std::span<PassRun* const> runs, std::span<const Tensor> gradients_PD);
  void backward(PassRun& run, std::span<const Tensor> gradients_PD) {
    PassRun* const runs[] = {&run};
    backward(runs, gradients_PD);
  }

  /// Logits [num wanted rows, V] of the output rows `output_rows`, in the accumulate dtype, behind
  /// `forward`.
  void logits(const PassRun& run, std::span<const int32_t> output_rows, Tensor logits_NV);

  /// Called before each layer and some hundreds of targets; may throw to abandon the work in flight
  /// (signals, cancelled requests).
  void set_interrupt_check(std::function<void()> check) { interrupt_check_ = std::move(check); }

  Ops& ops() const { return ops_; }
  const DecoderConfig& config() const { return config_; }
  FrozenWeights& weights() const { return weights_; }
  DType dtype() const { return weights_.dtype(); }
  int64_t num_positions() const { return num_positions_; }

 private:
  bool is_last(int64_t layer) const { return layer + 1 == config_.num_layers; }
  void layer_forward(int64_t layer, PassRun& run);
  void layer_backward(int64_t layer, PassRun& run);
  void embed(PassRun& run, std::span<const Tensor> prompts_PD);
  void final_norm_backward(PassRun& run);
  std::vector<KeyValues> sources(int64_t layer, const PassRun& run) const;
  Tensor vector(int64_t layer, LayerVector which) const { return weights_.vector(layer, which); }
  void norm(Tensor x, Tensor weight_D, Tensor bias_D, Tensor y, Tensor statistics);
  void norm_backward(Tensor x, Tensor weight_D, Tensor statistics, Tensor dy, Tensor dx);
  void add_bias(Tensor bias, Tensor x);
  void turn(Tensor heads, int64_t layer, std::span<const int32_t> positions, bool inverse);
  void project_queries_keys_values(int64_t layer, PassRun& run);
  void turn_queries_and_keys(int64_t layer, PassRun& run);
  void attention_forward(int64_t layer, PassRun& run);
  void feed_forward(int64_t layer, PassRun& run);
  void output_backward(int64_t layer, PassRun& run, Tensor dx_AD);
  void attention_backward(int64_t layer, PassRun& run, Tensor dx_AD);
  void query_backward(int64_t layer, PassRun& run, Tensor dq_AHE, Tensor to);
  void key_backward(int64_t layer, PassRun& run, Tensor to);
  void feed_forward_backward(int64_t layer, PassRun& run, Tensor dx_AD);

  Ops& ops_;
  DecoderConfig config_;
  FrozenWeights& weights_;
  int64_t num_positions_;
  Buffer rotary_block_;
  RotaryTables tables_;
  RotaryTables local_tables_;  // of layers that slide
  std::function<void()> interrupt_check_;
};

}  // namespace prescript
