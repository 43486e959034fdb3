#pragma once
// The memory of one pass through the decoder: what its backward needs, and scratch.

#include <memory>
#include <span>
#include <vector>

#include "base/arena.h"
#include "model/key_value_run.h"
#include "model/layer_parts.h"

namespace prescript {

/// What the input gradient of a layer needs of its forward. A rows are all N rows of the pass, or
/// in the last layer the output rows. q and k are after norm and rotary.
struct LayerActivations {
  Tensor x_ND;         // the layer's input
  Tensor attention_N;  // statistics of its norm: rstd [1, N]; of a layer norm [2, N]
  Tensor qkv_N;        // what is projected, [N, (H + 2K)·E]; in the last layer [N, 2K·E]
  // Queries and keys before norms of their own; without such norms q and k themselves.
  Tensor raw_q_AHE;
  Tensor raw_k_NKE;
  Tensor q_rstd_AH;  // [1, A·H]
  Tensor k_rstd_NK;  // [1, N·K]
  Tensor q_AHE;
  Tensor k_NKE;
  Tensor v_NKE;
  Tensor attended_AHE;
  Tensor lse_AH;
  Tensor mid_AD;             // between attention and feed-forward
  Tensor feed_forward_x_AD;  // what the feed-forward reads: mid, or x
  Tensor feed_forward_A;     // statistics of its norm
  Tensor gate_up_A2F;
  // What attention and feed-forward add, before norms of their own, and those norms' statistics.
  Tensor attention_out_AD;
  Tensor attention_out_A;
  Tensor feed_forward_out_AD;
  Tensor feed_forward_out_A;
};

/// What a pass's forward leaves behind.
enum class Keep {
  kNothing,      // inference: layers share their activations
  kActivations,  // training: for the backward
};

/// How much of it: the activations of the first `kept_layers` layers are kept, of the others only
/// their inputs, from which the backward computes them again.
struct KeepPlan {
  Keep keep = Keep::kNothing;
  int64_t kept_layers = 0;
};

/// Bytes of a run: what stays between calls of the decoder, and what is valid within one call.
struct PassBytes {
  size_t own = 0;
  size_t scratch = 0;

  size_t total() const { return own + scratch; }
};

class PassRun {
 public:
  /// `kept` are the K/V of kept runs 0, 1, ... of the schedule; they, `pass` and `config` must
  /// outlive this. `scratch`, room for PassBytes::scratch, may be that of other runs, which go
  /// through a layer one behind the other; without it the run has its own.
  PassRun(Ops& ops,
          const DecoderConfig& config,
          DType dtype,
          const Pass& pass,
          std::span<KeyValueRun* const> kept,
          KeepPlan plan,
          void* scratch = nullptr);

  /// Bytes that a run over `num_rows` rows and `num_output_rows` of them takes.
  static PassBytes bytes(const BackendTraits& ops,
                         const DecoderConfig& config,
                         DType dtype,
                         int64_t num_rows,
                         int64_t num_output_rows,
                         int64_t num_targets,
                         KeepPlan plan);

  const Pass& pass() const { return *pass_; }
  std::span<KeyValueRun* const> kept() const { return kept_; }
  const KeepPlan& plan() const { return plan_; }
  const LayerActivations& layer(int64_t layer) const { return layers_[layer]; }
  std::span<const Part> parts(int64_t layer) const { return parts_.of(layer); }
  /// Of the queries of those parts.
  std::span<const int32_t> query_positions(int64_t layer) const {
    return layer + 1 == std::ssize(layers_) ? output_positions_ : pass_->positions;
  }
  /// The output row of each target.
  std::span<const int32_t> target_rows() const { return target_rows_; }

  /// The input of layer `layer`; behind the last, the output rows [A, D].
  Tensor layer_input(int64_t layer) const { return inputs_[layer]; }

  // Scratch, valid within one call of the decoder.
  Tensor normed_ND;  // a norm's output, then its gradient
  Tensor hidden_NF;  // the activation's output, then its gradient
  Tensor d_attended_NHE;
  Tensor dq_NHE;  // accumulate dtype; then the gradient of keys behind their norm
  Tensor dk_NKE;  // K/V gradient dtype
  Tensor dv_NKE;
  Tensor d_qkv_N;

  Tensor hidden_TD;   // one row per target
  Tensor d_final_AD;  // accumulate dtype

  // Between calls.
  Tensor dx_ND;     // the gradient on its way down
  Tensor dx_AD;     // the same above the last layer
  Tensor final_A;   // statistics of the final norm
  Tensor final_AD;  // output rows behind the final norm
  Tensor d_hidden_TD;
  Tensor log_probs_T;  // accumulate dtype

 private:
  struct Extents;
  PassRun() = default;
  void lay_out(Arena& own,
               Arena& scratch,
               const BackendTraits& ops,
               const DecoderConfig& config,
               DType dtype,
               const Extents& extents);

  const Pass* pass_ = nullptr;
  std::span<KeyValueRun* const> kept_;
  KeepPlan plan_;
  LayerParts parts_;
  std::vector<int32_t> output_positions_;
  std::vector<int32_t> target_rows_;
  Buffer block_;
  std::vector<LayerActivations> layers_;
  std::vector<Tensor> inputs_;
};

}  // namespace prescript
