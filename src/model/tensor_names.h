#pragma once
// What the tensors of a decoder are called, in the files of each family.

#include <string_view>

namespace prescript {

/// Without ".weight" and ".bias"; those of a layer behind `layers` and its number. A name that a
/// family has no tensor for is empty.
struct TensorNames {
  std::string_view embedding = {};
  std::string_view positions = {};
  std::string_view final_norm = {};
  std::string_view head = {};
  std::string_view layers = {};
  std::string_view attention_norm = {};
  std::string_view query_key_value = {};  // where they are one tensor
  std::string_view query = {};
  std::string_view key = {};
  std::string_view value = {};
  std::string_view query_norm = {};
  std::string_view key_norm = {};
  std::string_view output = {};
  std::string_view post_attention_norm = {};
  std::string_view feed_forward_norm = {};
  std::string_view gate_up = {};  // where they are one tensor, or there is no gate
  std::string_view gate = {};
  std::string_view up = {};
  std::string_view down = {};
  std::string_view post_feed_forward_norm = {};
};

/// GGUF's, of all families.
inline constexpr TensorNames kGgufNames = {
    .embedding = "token_embd",
    .positions = "position_embd",
    .final_norm = "output_norm",
    .head = "output",
    .layers = "blk.",
    .attention_norm = "attn_norm",
    .query_key_value = "attn_qkv",
    .query = "attn_q",
    .key = "attn_k",
    .value = "attn_v",
    .query_norm = "attn_q_norm",
    .key_norm = "attn_k_norm",
    .output = "attn_output",
    .post_attention_norm = "post_attention_norm",
    .feed_forward_norm = "ffn_norm",
    .gate_up = "ffn_up",
    .gate = "ffn_gate",
    .up = "ffn_up",
    .down = "ffn_down",
    .post_feed_forward_norm = "post_ffw_norm",
};

// Those of transformers stand behind a prefix, except the head.

inline constexpr TensorNames kLlamaNames = {
    .embedding = "embed_tokens",
    .final_norm = "norm",
    .head = "lm_head",
    .layers = "layers.",
    .attention_norm = "input_layernorm",
    .query_key_value = "self_attn.qkv_proj",
    .query = "self_attn.q_proj",
    .key = "self_attn.k_proj",
    .value = "self_attn.v_proj",
    .query_norm = "self_attn.q_norm",
    .key_norm = "self_attn.k_norm",
    .output = "self_attn.o_proj",
    .feed_forward_norm = "post_attention_layernorm",
    .gate_up = "mlp.gate_up_proj",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .down = "mlp.down_proj",
};

inline constexpr TensorNames kGemmaNames = [] {
  TensorNames names = kLlamaNames;
  names.post_attention_norm = "post_attention_layernorm";
  names.feed_forward_norm = "pre_feedforward_layernorm";
  names.post_feed_forward_norm = "post_feedforward_layernorm";
  return names;
}();

inline constexpr TensorNames kGpt2Names = {
    .embedding = "wte",
    .positions = "wpe",
    .final_norm = "ln_f",
    .head = "lm_head",
    .layers = "h.",
    .attention_norm = "ln_1",
    .query_key_value = "attn.c_attn",
    .output = "attn.c_proj",
    .feed_forward_norm = "ln_2",
    .gate_up = "mlp.c_fc",
    .down = "mlp.c_proj",
};

inline constexpr TensorNames kGptNeoxNames = {
    .embedding = "embed_in",
    .final_norm = "final_layer_norm",
    .head = "embed_out",
    .layers = "layers.",
    .attention_norm = "input_layernorm",
    .query_key_value = "attention.query_key_value",
    .output = "attention.dense",
    .feed_forward_norm = "post_attention_layernorm",
    .gate_up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
};

}  // namespace prescript
