#pragma once
// The families of decoders, by what their files do not say themselves.

#include <array>
#include <string_view>

namespace prescript {

struct Family {
  std::string_view hf;    // model_type in config.json
  std::string_view gguf;  // general.architecture
  bool query_key_value_bias = false;
  bool query_key_norms = false;
  bool fused_tensors = false;
  /// GGUF stores a rotary pair, elements i and i + size/2 of a head, side by side.
  bool interleaved_in_gguf = false;
};

inline constexpr std::array<Family, 5> kFamilies = {{
    {.hf = "llama", .gguf = "llama", .interleaved_in_gguf = true},
    {.hf = "mistral", .gguf = "llama", .interleaved_in_gguf = true},
    {.hf = "qwen2", .gguf = "qwen2", .query_key_value_bias = true},
    {.hf = "qwen3", .gguf = "qwen3", .query_key_norms = true},
    {.hf = "phi3", .gguf = "phi3", .fused_tensors = true},
}};

/// The family of this name in GGUF, null where there is none.
constexpr const Family* find_gguf_family(std::string_view name) {
  for (const Family& family : kFamilies) {
    if (family.gguf == name) return &family;
  }
  return nullptr;
}

}  // namespace prescript
