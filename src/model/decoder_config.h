#pragma once
// What kind of decoder a base model is: the numbers its layer function needs.

#include <cstdint>
#include <string>
#include <vector>

#include "io/gguf.h"
#include "model/rope.h"

namespace prescript {

/// A decoder of RMSNorm, rotary position embedding in the half-split order, grouped query heads and
/// SwiGLU. Every field is read from the model's own files and checked; nothing is defaulted that
/// changes numbers.
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
  bool tied_head = false;  // the head is the embedding

  // What families differ in.
  bool query_key_value_bias = false;
  bool output_bias = false;        // of attention
  bool feed_forward_bias = false;  // of gate, up and down
  bool query_key_norms = false;    // an RMSNorm of every query and key head, before they turn

  // How its files store them.
  bool fused_tensors = false;        // query, key, value are one tensor, gate and up another
  bool interleaved_in_gguf = false;  // rotary pairs of queries and keys lie side by side

  int64_t query_size() const { return num_heads * head_size; }
  int64_t kv_size() const { return num_kv_heads * head_size; }
  /// Weights of the layers, without norms, biases, embedding and head.
  int64_t num_layer_parameters() const;
};

/// From a GGUF's metadata. Throws InputError(kModel) naming the file and key for anything missing,
/// contradictory or not implemented: another family, sliding window, experts.
DecoderConfig decoder_config_from_gguf(const GgufFile& file);

/// From config.json of an HF directory, in both spellings that transformers writes (rope_theta with
/// rope_scaling, or rope_parameters). Throws InputError(kModel) likewise; a missing rope base is
/// refused, never defaulted.
DecoderConfig decoder_config_from_hf(const std::string& dir);

}  // namespace prescript
