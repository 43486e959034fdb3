#include "model/decoder_config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

// Bounds against nonsense in a file; far above any model there is.
constexpr int64_t kMaxSize = 1 << 20;
constexpr int64_t kMaxVocabulary = 1 << 24;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxPositions = 1 << 27;

[[noreturn]] void refuse(const std::string& place, const std::string& what) {
  throw InputError(
      ExitCode::kModel,
      place + ": " + what +
          "; implemented today: Llama-family decoders without rope scaling, sliding window, "
          "experts, biases or soft-capping (docs/ARCHITECTURE.md)");
}

void check(const DecoderConfig& c, const std::string& place) {
  const auto require = [&](bool holds, const std::string& message) {
    if (!holds) throw InputError(ExitCode::kModel, place + ": " + message);
  };
  require(c.num_heads % c.num_kv_heads == 0,
          std::to_string(c.num_heads) + " query heads are not a multiple of " +
              std::to_string(c.num_kv_heads) + " key/value heads");
  require(c.head_size % 2 == 0,
          "head size " + std::to_string(c.head_size) + " is odd; rotary positions need pairs");
  require(c.rms_epsilon > 0 && c.rms_epsilon < 1, "epsilon of the norms is not in (0, 1)");
  require(c.rope_theta > 0 && c.rope_theta < 1e12, "rope base is not in (0, 1e12)");
}

/// Keys of a llama GGUF that this program reads, or that say nothing about the numbers.
constexpr std::array<std::string_view, 16> kKnownLlamaKeys = {
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "vocab_size",
    "expert_count",
    "expert_used_count",
    "attention.sliding_window",
};

void refuse_unknown_gguf_features(const GgufFile& file) {
  if (file.find_integer("llama.expert_count", 0, kMaxSize).value_or(0) > 0) {
    refuse(file.path(), "llama.expert_count: a mixture of experts is not implemented");
  }
  if (file.find_integer("llama.attention.sliding_window", 0, kMaxPositions).value_or(0) > 0) {
    refuse(file.path(),
           "llama.attention.sliding_window: sliding-window attention is not implemented");
  }
  const auto scaling = file.find_string("llama.rope.scaling.type");
  if (scaling && *scaling != "none") {
    refuse(file.path(),
           "llama.rope.scaling.type: rope scaling " + quote(*scaling) + " is not implemented");
  }
  if (file.find_tensor("rope_freqs.weight") != nullptr) {
    refuse(file.path(), "tensor rope_freqs.weight: the rope scaling of Llama 3 is not implemented");
  }
  for (const std::string& key : file.keys()) {
    if (!key.starts_with("llama.")) continue;
    const auto name = std::string_view(key).substr(6);
    if (std::find(kKnownLlamaKeys.begin(), kKnownLlamaKeys.end(), name) == kKnownLlamaKeys.end()) {
      refuse(file.path(),
             "metadata key " + quote(key) + " names a feature that is not implemented");
    }
  }
}

/// rope_theta and the absence of scaling, in either spelling of transformers.
double read_rope(const JsonCursor& config, const std::string& place) {
  std::optional<double> theta;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = config.find(key);
    if (!rope) continue;
    if (!rope->is_object()) rope->fail("expected an object");
    for (const char* type_key : {"rope_type", "type"}) {
      const auto type = rope->find(type_key);
      if (type && type->string() != "default") {
        refuse(place,
               std::string(key) + "." + type_key + ": rope scaling " + quote(type->string()) +
                   " is not implemented");
      }
    }
    for (const std::string& name : rope->keys()) {
      if (name == "rope_theta") {
        theta = rope->at(name).number();
      } else if (name != "rope_type" && name != "type") {
        refuse(place, std::string(key) + "." + name + " is not implemented");
      }
    }
  }
  const auto top = config.find("rope_theta");
  if (top && theta && top->number() != *theta) {
    top->fail("differs from the rope_theta of rope_parameters; keep one of them");
  }
  if (top) theta = top->number();
  if (!theta) {
    throw InputError(ExitCode::kModel,
                     place +
                         ": rope_theta is missing (also in rope_parameters); add the base that the "
                         "model was trained with, it is never guessed");
  }
  return *theta;
}

void refuse_unknown_hf_features(const JsonCursor& config, const std::string& place) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    const auto value = config.find(key);
    if (value && value->boolean()) refuse(place, std::string(key) + ": biases are not implemented");
  }
  for (const char* key : {"sliding_window",
                          "num_local_experts",
                          "num_experts",
                          "quantization_config",
                          "attn_logit_softcapping",
                          "final_logit_softcapping",
                          "query_pre_attn_scalar",
                          "logits_scaling",
                          "embedding_multiplier",
                          "residual_multiplier",
                          "attention_multiplier"}) {
    if (config.find(key)) refuse(place, std::string(key) + " is not implemented");
  }
  const auto factor = config.find("partial_rotary_factor");
  if (factor && factor->number() != 1) refuse(place, "partial_rotary_factor is not implemented");
  const auto activation = config.find("hidden_act");
  if (activation && activation->string() != "silu") {
    refuse(place, "hidden_act " + quote(activation->string()) + " is not implemented");
  }
  if (const auto types = config.find("layer_types")) {
    for (size_t i = 0; i < types->size(); ++i) {
      if (types->item(i).string() != "full_attention") {
        refuse(place, "layer_types: " + quote(types->item(i).string()) + " is not implemented");
      }
    }
  }
}

}  // namespace

int64_t DecoderConfig::num_layer_parameters() const {
  return num_layers * (2 * hidden_size * query_size() + 2 * hidden_size * kv_size() +
                       3 * hidden_size * feed_forward_size);
}

DecoderConfig decoder_config_from_gguf(const GgufFile& file) {
  const std::string family = file.string("general.architecture");
  if (family != "llama") {
    refuse(file.path(),
           "general.architecture: the family " + quote(family) + " is not implemented");
  }
  refuse_unknown_gguf_features(file);
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw InputError(ExitCode::kModel,
                     file.path() +
                         ": tensor token_embd.weight is missing or no matrix; a file with a "
                         "vocabulary only cannot be run");
  }
  const auto number = [&](const char* key, int64_t max) { return file.integer(key, 1, max); };

  DecoderConfig c;
  c.family = family;
  c.hidden_size = number("llama.embedding_length", kMaxSize);
  c.feed_forward_size = number("llama.feed_forward_length", kMaxSize);
  c.num_layers = number("llama.block_count", kMaxLayers);
  c.num_heads = number("llama.attention.head_count", kMaxSize);
  c.num_kv_heads =
      file.find_integer("llama.attention.head_count_kv", 1, kMaxSize).value_or(c.num_heads);
  const auto key_length = file.find_integer("llama.attention.key_length", 1, kMaxSize);
  if (!key_length && c.hidden_size % c.num_heads != 0) {
    throw InputError(
        ExitCode::kModel,
        file.path() + ": llama.embedding_length is not a multiple of the number of heads");
  }
  c.head_size = key_length.value_or(c.hidden_size / c.num_heads);
  if (file.find_integer("llama.attention.value_length", 1, kMaxSize).value_or(c.head_size) !=
      c.head_size) {
    refuse(file.path(), "llama.attention.value_length: values of another size than keys");
  }
  if (file.find_integer("llama.rope.dimension_count", 1, kMaxSize).value_or(c.head_size) !=
      c.head_size) {
    refuse(file.path(), "llama.rope.dimension_count: rotary positions on a part of the head");
  }
  c.max_positions = number("llama.context_length", kMaxPositions);
  c.rms_epsilon = file.number("llama.attention.layer_norm_rms_epsilon");
  c.rope_theta = file.number("llama.rope.freq_base");
  c.vocabulary_size = embedding->shape[0];
  if (c.vocabulary_size < 1 || c.vocabulary_size > kMaxVocabulary) {
    throw InputError(ExitCode::kModel, file.path() + ": token_embd.weight: vocabulary size");
  }
  c.tied_head = file.find_tensor("output.weight") == nullptr;
  check(c, file.path());
  return c;
}

DecoderConfig decoder_config_from_hf(const std::string& dir) {
  const std::string place = dir + "/config.json";
  const nlohmann::json document = parse_json_file(place, ExitCode::kModel);
  const JsonCursor config(document, place, ExitCode::kModel);
  const std::string family = config.at("model_type").string();
  if (family != "llama")
    refuse(place, "model_type: the family " + quote(family) + " is not implemented");
  refuse_unknown_hf_features(config, place);
  const auto number = [&](const char* key, int64_t max) { return config.at(key).integer(1, max); };
  const auto number_or = [&](const char* key, int64_t max, int64_t otherwise) {
    const auto value = config.find(key);
    return value ? value->integer(1, max) : otherwise;
  };

  DecoderConfig c;
  c.family = family;
  c.vocabulary_size = number("vocab_size", kMaxVocabulary);
  c.hidden_size = number("hidden_size", kMaxSize);
  c.feed_forward_size = number("intermediate_size", kMaxSize);
  c.num_layers = number("num_hidden_layers", kMaxLayers);
  c.num_heads = number("num_attention_heads", kMaxSize);
  c.num_kv_heads = number_or("num_key_value_heads", kMaxSize, c.num_heads);
  if (!config.find("head_dim") && c.hidden_size % c.num_heads != 0) {
    config.at("hidden_size")
        .fail("is not a multiple of num_attention_heads, and there is no head_dim");
  }
  c.head_size = number_or("head_dim", kMaxSize, c.hidden_size / c.num_heads);
  c.max_positions = number("max_position_embeddings", kMaxPositions);
  c.rms_epsilon = config.at("rms_norm_eps").number();
  c.rope_theta = read_rope(config, place);
  const auto tied = config.find("tie_word_embeddings");
  c.tied_head = tied && tied->boolean();  // transformers' default for Llama is untied
  check(c, place);
  return c;
}

}  // namespace prescript
