#pragma once
// The families of decoders, by what their files do not say themselves.

#include <array>
#include <string_view>

#include "model/decoder_config.h"
#include "model/tensor_names.h"

namespace prescript {

/// What a family's config.json calls its numbers.
struct ConfigKeys {
  const char* hidden_size = "hidden_size";
  const char* feed_forward_size = "intermediate_size";
  const char* num_layers = "num_hidden_layers";
  const char* num_heads = "num_attention_heads";
  const char* max_positions = "max_position_embeddings";
  const char* norm_epsilon = "rms_norm_eps";
  const char* activation = "hidden_act";
  const char* rope_theta = "rope_theta";
  const char* rotary_share = "partial_rotary_factor";  // of a head
};

/// Layers whose attention is bounded by a window, if their file names one.
enum class SlidingLayers {
  kNone,
  kAll,
  kUpper,             // from max_window_layers on
  kEveryOther,        // the first, the third, ...
  kAllButEverySixth,  // or what sliding_window_pattern says
};

struct Family {
  std::string_view hf;    // model_type in config.json
  std::string_view gguf;  // general.architecture
  DecoderFeatures features = {};
  SlidingLayers sliding = SlidingLayers::kNone;
  bool scores_of_its_own = false;  // a query scalar, and caps of scores and logits
  bool biases_everywhere = false;
  bool tied_by_default = false;
  bool turns_part_of_heads = false;  // if its file says so
  ConfigKeys keys = {};
};

constexpr Family gemma(std::string_view hf, std::string_view gguf) {
  Family family = {.hf = hf,
                   .gguf = gguf,
                   .features = {.activation = Activation::kGeluTanh,
                                .post_norms = true,
                                .scaled_embedding = true,
                                .norms_store_difference = true,
                                .hf_names = &kGemmaNames},
                   .sliding = SlidingLayers::kEveryOther,
                   .scores_of_its_own = true,
                   .tied_by_default = true,
                   .keys = {.activation = "hidden_activation"}};
  if (gguf == "gemma3") {
    family.features.query_key_norms = true;
    family.sliding = SlidingLayers::kAllButEverySixth;
  }
  return family;
}

inline constexpr std::array<Family, 10> kFamilies = {{
    {.hf = "llama", .gguf = "llama", .features = {.interleaved_in_gguf = true}},
    {.hf = "mistral",
     .gguf = "llama",
     .features = {.interleaved_in_gguf = true},
     .sliding = SlidingLayers::kAll},
    {.hf = "qwen2",
     .gguf = "qwen2",
     .features = {.query_key_value_bias = true},
     .sliding = SlidingLayers::kUpper},
    {.hf = "qwen3",
     .gguf = "qwen3",
     .features = {.query_key_norms = true},
     .sliding = SlidingLayers::kUpper},
    {.hf = "phi3",
     .gguf = "phi3",
     .features = {.fused_tensors = true},
     .sliding = SlidingLayers::kAll,
     .turns_part_of_heads = true},
    gemma("gemma2", "gemma2"),
    gemma("gemma3_text", "gemma3"),
    gemma("gemma3", "gemma3"),  // one that also sees, of which the text side is read (MedGemma)
    {.hf = "gpt2",
     .gguf = "gpt2",
     .features = {.norm = NormKind::kLayer,
                  .activation = Activation::kGeluTanh,
                  .is_gated = false,
                  .learned_positions = true,
                  .fused_tensors = true,
                  .transposed_in_hf = true,
                  .hf_names = &kGpt2Names},
     .biases_everywhere = true,
     .tied_by_default = true,
     .keys = {.hidden_size = "n_embd",
              .feed_forward_size = "n_inner",
              .num_layers = "n_layer",
              .num_heads = "n_head",
              .max_positions = "n_positions",
              .norm_epsilon = "layer_norm_epsilon",
              .activation = "activation_function"}},
    {.hf = "gpt_neox",
     .gguf = "gptneox",
     .features = {.norm = NormKind::kLayer,
                  .activation = Activation::kGelu,
                  .is_gated = false,
                  .parallel_residual = true,
                  .fused_tensors = true,
                  .fused_by_heads_in_hf = true,
                  .hf_names = &kGptNeoxNames},
     .biases_everywhere = true,
     .turns_part_of_heads = true,
     .keys = {.norm_epsilon = "layer_norm_eps",
              .rope_theta = "rotary_emb_base",
              .rotary_share = "rotary_pct"}},
}};

/// The family of this name in GGUF, null where there is none.
constexpr const Family* find_gguf_family(std::string_view name) {
  for (const Family& family : kFamilies) {
    if (family.gguf == name) return &family;
  }
  return nullptr;
}

}  // namespace prescript
