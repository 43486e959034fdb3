#pragma once
// What kind of decoder a base model is: the numbers its layer function needs.

#include <cstdint>
#include <string>

#include "io/gguf.h"

namespace prescript {

/// A Llama-family decoder: RMSNorm, rotary position embedding in the half-split order, grouped
/// query heads, SwiGLU, no biases. Every field is read from the model's own files and checked;
/// nothing is defaulted that changes numbers.
struct DecoderConfig {
  std::string family;             // "llama"
  int64_t vocabulary_size = 0;    // V
  int64_t hidden_size = 0;        // D
  int64_t feed_forward_size = 0;  // F
  int64_t num_layers = 0;
  int64_t num_heads = 0;      // H
  int64_t num_kv_heads = 0;   // K
  int64_t head_size = 0;      // E, even
  int64_t max_positions = 0;  // of the model's context
  double rms_epsilon = 0;
  double rope_theta = 0;
  bool tied_head = false;  // the head is the embedding

  int64_t query_size() const { return num_heads * head_size; }
  int64_t kv_size() const { return num_kv_heads * head_size; }
  /// Weights of the layers, without norms, embedding and head.
  int64_t num_layer_parameters() const;
};

/// From a GGUF's metadata (general.architecture llama). Throws InputError(kModel) naming the file
/// and key for anything missing, contradictory or not implemented: another family, rope scaling,
/// sliding window, experts.
DecoderConfig decoder_config_from_gguf(const GgufFile& file);

/// From config.json of an HF directory, in both spellings that transformers writes (rope_theta with
/// rope_scaling, or rope_parameters). Throws InputError(kModel) likewise; a missing rope base is
/// refused, never defaulted.
DecoderConfig decoder_config_from_hf(const std::string& dir);

}  // namespace prescript
