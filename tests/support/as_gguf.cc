#include "support/as_gguf.h"

#include <algorithm>
#include <map>

namespace prescript {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

// gguf-py's tensor_mapping.py. A name that begins another stands behind it.
const Names kNames = {
    {"language_model.model.", "model."},
    {"model.embed_tokens.", "token_embd."},
    {"model.norm.", "output_norm."},
    {"lm_head.", "output."},
    {"model.layers.", "blk."},
    {"input_layernorm.", "attn_norm."},
    {"self_attn.q_proj.", "attn_q."},
    {"self_attn.k_proj.", "attn_k."},
    {"self_attn.v_proj.", "attn_v."},
    {"self_attn.qkv_proj.", "attn_qkv."},
    {"self_attn.o_proj.", "attn_output."},
    {"self_attn.q_norm.", "attn_q_norm."},
    {"self_attn.k_norm.", "attn_k_norm."},
    {"mlp.gate_proj.", "ffn_gate."},
    {"mlp.up_proj.", "ffn_up."},
    {"mlp.gate_up_proj.", "ffn_up."},
    {"mlp.down_proj.", "ffn_down."},
    // Gemma
    {"pre_feedforward_layernorm.", "ffn_norm."},
    {"post_feedforward_layernorm.", "post_ffw_norm."},
    // GPT-2
    {"transformer.wte.", "token_embd."},
    {"transformer.wpe.", "position_embd."},
    {"transformer.ln_f.", "output_norm."},
    {"transformer.h.", "blk."},
    {"ln_1.", "attn_norm."},
    {"attn.c_attn.", "attn_qkv."},
    {"attn.c_proj.", "attn_output."},
    {"ln_2.", "ffn_norm."},
    {"mlp.c_fc.", "ffn_up."},
    {"mlp.c_proj.", "ffn_down."},
    // GPT-NeoX
    {"gpt_neox.embed_in.", "token_embd."},
    {"gpt_neox.final_layer_norm.", "output_norm."},
    {"embed_out.", "output."},
    {"gpt_neox.layers.", "blk."},
    {"attention.query_key_value.", "attn_qkv."},
    {"attention.dense.", "attn_output."},
    {"mlp.dense_h_to_4h.", "ffn_up."},
    {"mlp.dense_4h_to_h.", "ffn_down."},
};

std::string renamed(std::string name, bool is_gemma) {
  Names names = kNames;
  names.emplace_back("post_attention_layernorm.", is_gemma ? "post_attention_norm." : "ffn_norm.");
  for (const auto& [from, to] : names) {
    const size_t at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  }
  return name;
}

Matrix transposed(const Matrix& x) {
  Matrix y(x.cols, x.rows);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t c = 0; c < x.cols; ++c) y.at(c, r) = x.at(r, c);
  }
  return y;
}

/// Row `row` of the result is row `from(row)` of x; of a vector, the elements.
template <typename From>
Matrix reordered(const Matrix& x, const From& from) {
  if (x.rows == 1) return transposed(reordered(transposed(x), from));
  Matrix y = x;
  for (int64_t row = 0; row < x.rows; ++row) std::copy_n(x.row(from(row)), x.cols, y.row(row));
  return y;
}

bool has(const std::string& name, const char* part) {
  return name.find(part) != std::string::npos;
}

}  // namespace

MemoryTensors as_gguf(const MemoryTensors& hf, const DecoderConfig& config) {
  const bool is_gemma = config.family.starts_with("gemma");
  const int64_t E = config.head_size;
  MemoryTensors gguf;
  for (const std::string& name : hf.names()) {
    if (has(name, "vision_tower.") || has(name, "multi_modal_projector.")) continue;
    Matrix x = hf.matrix(name);
    if (config.features.interleaved_in_gguf && (has(name, "q_proj") || has(name, "k_proj"))) {
      // reshape(heads, 2, E / 2, D).swapaxes(1, 2)
      x = reordered(x, [&](int64_t row) {
        const int64_t i = row % E;
        return row - i + i / 2 + i % 2 * E / 2;
      });
    }
    if (has(name, "query_key_value")) {
      // reshape(heads, 3, E, D), the second axis taken apart
      x = reordered(x, [&](int64_t row) {
        const int64_t HE = config.query_size();
        return row % HE / E * 3 * E + row / HE * E + row % E;
      });
    }
    if (config.family == "gpt2" && has(name, ".h.") && x.rows > 1) x = transposed(x);
    if (is_gemma && has(name, "norm.weight")) {
      for (double& value : x.values) value += 1;
    }
    gguf.set(renamed(name, is_gemma), x);
  }
  if (config.tied_head) gguf.erase("output.weight");
  return gguf;
}

}  // namespace prescript
