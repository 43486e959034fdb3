#pragma once
// A tiny Llama as an HF directory, for tests that need a whole base model.

#include <cstdint>
#include <string>

namespace prescript {

struct TinyModelOptions {
  int64_t hidden_size = 32;
  int64_t feed_forward_size = 48;
  int64_t num_layers = 2;
  int64_t num_heads = 4;
  int64_t num_kv_heads = 2;
  int64_t head_size = 8;
  int64_t max_positions = 1024;
  bool tied_head = true;
  bool chat_template = true;
  int64_t window = 0;  // if positive a Mistral whose layers slide
  uint64_t seed = 1;
};

/// Ids of its tokens: 0 .. 255 are the bytes, then these.
inline constexpr int32_t kTinyEndOfText = 256;   // <|endoftext|>, eos_token_id
inline constexpr int32_t kTinyTurnBegins = 257;  // <|im_start|>
inline constexpr int32_t kTinyTurnEnds = 258;    // <|im_end|>
inline constexpr int32_t kTinyVocabularySize = 259;

/// Writes config.json, generation_config.json, model.safetensors, tokenizer.json,
/// tokenizer_config.json and chat_template.jinja (ChatML) into `dir`, which is made. Byte-level BPE
/// without merges: an ASCII character is a token. Weights are float32, seeded, and large enough
/// that logits have a standard deviation above 1.
void write_tiny_model(const std::string& dir, const TinyModelOptions& options = {});

}  // namespace prescript
