#pragma once
// What kind of decoder a base model is: the numbers its layer function needs.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "model/rope.h"
#include "model/tensor_names.h"
#include "ops/ops.h"

namespace prescript {

enum class NormKind {
  kRms,    // weight
  kLayer,  // weight and bias
};

/// What families differ in.
struct DecoderFeatures {
  NormKind norm = NormKind::kRms;
  Activation activation = Activation::kSilu;
  bool is_gated = true;  // activation(gate) · up, else activation(up)
  bool query_key_value_bias = false;
  bool output_bias = false;        // of attention
  bool feed_forward_bias = false;  // of gate, up and down
  bool query_key_norms = false;    // of every query and key head, before they turn
  bool post_norms = false;         // of what attention and feed-forward add
  bool parallel_residual = false;  // the feed-forward reads what attention reads
  bool learned_positions = false;  // added to the embedding; nothing turns
  bool scaled_embedding = false;   // token rows are multiplied by sqrt(D), soft prompts are not
  bool scores_by_inverse_layer = false;  // those of layer l are divided by l + 1

  // How its files store them.
  bool fused_tensors = false;           // query, key, value are one tensor, gate and up another
  bool fused_by_heads_in_hf = false;    // query, key, value of a head behind each other
  bool transposed_in_hf = false;        // layer weights are [in, out]
  bool norms_store_difference = false;  // from 1, in HF's files
  bool interleaved_in_gguf = false;     // rotary pairs of queries and keys lie side by side
  const TensorNames* hf_names = &kLlamaNames;
};

/// A decoder. Every field is read from the model's own files and checked; nothing is defaulted that
/// changes numbers, except what a family's own configuration class leaves out of its files.
struct DecoderConfig {
  std::string family;             // "llama", as its files call it
  int64_t vocabulary_size = 0;    // V
  int64_t hidden_size = 0;        // D
  int64_t feed_forward_size = 0;  // F
  int64_t num_layers = 0;
  int64_t num_heads = 0;      // H
  int64_t num_kv_heads = 0;   // K
  int64_t head_size = 0;      // E
  int64_t rotary_size = 0;    // the first elements of a head, which turn by position; even
  int64_t max_positions = 0;  // of the model's context
  double norm_epsilon = 0;
  Rope rope = {};
  std::optional<Rope> local_rope = {};  // of layers that slide, where it is another
  bool tied_head = false;               // the head is the embedding
  double query_scalar = 0;              // scores are divided by its root; 0: by that of E
  double score_cap = 0;                 // of attention; 0: none
  double logit_cap = 0;                 // of the head
  int64_t window = 0;                   // positions that a layer that slides looks back, itself one
  std::vector<bool> slides = {};        // by layer; empty where none does
  DecoderFeatures features = {};

  int64_t query_size() const { return num_heads * head_size; }
  int64_t kv_size() const { return num_kv_heads * head_size; }
  int64_t gate_up_size() const { return (features.is_gated ? 2 : 1) * feed_forward_size; }
  double embedding_scale() const;
  bool layer_slides(int64_t layer) const { return !slides.empty() && slides[layer]; }
  AttentionShape attention_shape(int64_t layer) const;
  /// Weights of the layers, without norms, biases, embedding and head.
  int64_t num_layer_parameters() const;
};

/// From a GGUF's metadata. Throws InputError(kModel) naming the file and key for anything missing,
/// contradictory or not implemented: another family, experts.
DecoderConfig decoder_config_from_gguf(const GgufFile& file);

/// From config.json of an HF directory, in both spellings that transformers writes (rope_theta with
/// rope_scaling, or rope_parameters), with the defaults of the family's class in transformers.
/// Throws InputError(kModel) likewise.
DecoderConfig decoder_config_from_hf(const std::string& dir);

}  // namespace prescript
