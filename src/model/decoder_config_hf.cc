// config.json of an HF directory.

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"
#include "model/decoder_config.h"
#include "model/decoder_config_check.h"
#include "model/family.h"
#include "model/rope_hf.h"

namespace prescript {
namespace {

using nlohmann::json;

constexpr const char* kTied = "tie_word_embeddings";
constexpr const char* kScoresByInverseLayer = "scale_attn_by_inverse_layer_idx";

const Family& family_of(const std::string& name, const std::string& place) {
  const auto found = std::find_if(
      kFamilies.begin(), kFamilies.end(), [&](const Family& family) { return family.hf == name; });
  if (found == kFamilies.end()) {
    refuse_model(place, "model_type: the family " + quote(name) + " is not implemented");
  }
  return *found;
}

/// What a family's files leave out where it equals what its class in transformers has by default.
json defaults_of(std::string_view family) {
  if (family == "gpt2") return {{"vocab_size", 50257}};
  if (family == "gpt_neox") return {{"rotary_pct", 0.25}};
  if (family == "mistral") return {{"sliding_window", 4096}};
  if (family.starts_with("qwen")) return {{"sliding_window", 4096}, {"max_window_layers", 28}};
  if (family == "gemma2") {
    return {{"attn_logit_softcapping", 50.0},
            {"final_logit_softcapping", 30.0},
            {"query_pre_attn_scalar", 256},
            {"sliding_window", 4096}};
  }
  if (!family.starts_with("gemma3")) return json::object();
  return {{"vocab_size", 262208},
          {"hidden_size", 2304},
          {"intermediate_size", 9216},
          {"num_hidden_layers", 26},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 4},
          {"head_dim", 256},
          {"max_position_embeddings", 131072},
          {"rms_norm_eps", 1e-6},
          {"query_pre_attn_scalar", 256},
          {"sliding_window", 4096},
          {"sliding_window_pattern", 6}};
}

/// The document with the text model's numbers on top, and those that it leaves out.
json with_defaults(const json& document, std::string_view family, const std::string& place) {
  json result = defaults_of(family);
  const auto text = family == "gemma3"
                        ? JsonCursor(document, place, ExitCode::kModel).find("text_config")
                        : std::nullopt;
  if (text) {
    text->keys();  // an object, or an error
    if (document.contains(kTied)) result[kTied] = document[kTied];
    result.merge_patch(text->value());
  } else {
    result.merge_patch(document);
  }
  if (family.starts_with("gemma3")) {
    const json rope = result.value("rope_parameters", json::object());
    const auto add = [&](const char* key, double theta) {
      if (!result.contains(key)) result[key] = theta;
    };
    if (rope.empty()) add("rope_theta", 1e6);
    if (!rope.contains("sliding_attention")) add("rope_local_base_freq", 1e4);
  }
  return result;
}

class ConfigReader {
 public:
  ConfigReader(const JsonCursor& config, const Family& family, const std::string& place)
      : config_(config), family_(family), place_(place) {}

  DecoderConfig read() const {
    refuse_unknown_features();
    DecoderConfig c;
    c.family = family_.hf;
    c.features = family_.features;
    read_sizes(c);
    // As a GGUF holds it: the same model computes the same bits from either.
    c.norm_epsilon = static_cast<float>(config_.at(family_.keys.norm_epsilon).number());
    c.tied_head = is_set(kTied, family_.tied_by_default);
    read_features(c);
    read_scores(c);
    read_positions(c);
    return c;
  }

 private:
  int64_t number(const char* key, int64_t max) const { return config_.at(key).integer(1, max); }
  int64_t number_or(const char* key, int64_t max, int64_t otherwise) const {
    const auto value = config_.find(key);
    return value ? value->integer(1, max) : otherwise;
  }
  double positive_or_zero(const char* key) const {
    const auto value = config_.find(key);
    if (value && !(value->number() > 0)) value->fail("is not positive");
    return value ? value->number() : 0;
  }
  bool is_set(const char* key, bool otherwise = false) const {
    const auto value = config_.find(key);
    return value ? value->boolean() : otherwise;
  }

  [[noreturn]] void refuse_in_family(const char* key) const {
    refuse_model(place_, std::string(key) + " of a " + quote(family_.hf) + " is not implemented");
  }

  void refuse_unknown_features() const {
    for (const char* key : {"num_local_experts",
                            "num_experts",
                            "quantization_config",
                            "logits_scaling",
                            "embedding_multiplier",
                            "residual_multiplier",
                            "attention_multiplier"}) {
      if (config_.find(key)) refuse_model(place_, std::string(key) + " is not implemented");
    }
    for (const char* key : {"use_bidirectional_attention", "add_cross_attention"}) {
      if (is_set(key)) refuse_model(place_, std::string(key) + " is not implemented");
    }
    // transformers reads these in their own families only.
    for (const char* key :
         {"query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"}) {
      if (!family_.scores_of_its_own && config_.find(key)) refuse_in_family(key);
    }
    if (family_.hf != "gpt2" && is_set(kScoresByInverseLayer)) {
      refuse_in_family(kScoresByInverseLayer);
    }
    if (!is_set("scale_attn_weights", true)) {
      refuse_model(place_, "scale_attn_weights: false is not implemented");
    }
  }

  void read_sizes(DecoderConfig& c) const {
    const ConfigKeys& keys = family_.keys;
    c.vocabulary_size = number("vocab_size", kMaxVocabulary);
    c.hidden_size = number(keys.hidden_size, kMaxSize);
    c.num_layers = number(keys.num_layers, kMaxLayers);
    c.num_heads = number(keys.num_heads, kMaxSize);
    c.num_kv_heads = number_or("num_key_value_heads", kMaxSize, c.num_heads);
    c.feed_forward_size = family_.hf == "gpt2"
                              ? number_or(keys.feed_forward_size, kMaxSize, 4 * c.hidden_size)
                              : number(keys.feed_forward_size, kMaxSize);
    if (!config_.find("head_dim") && c.hidden_size % c.num_heads != 0) {
      config_.at(keys.hidden_size)
          .fail("is not a multiple of " + std::string(keys.num_heads) +
                ", and there is no head_dim");
    }
    c.head_size = number_or("head_dim", kMaxSize, c.hidden_size / c.num_heads);
  }

  void read_features(DecoderConfig& c) const {
    DecoderFeatures& features = c.features;
    const bool everywhere = family_.biases_everywhere;
    features.query_key_value_bias =
        features.query_key_value_bias || is_set("attention_bias", everywhere);
    features.output_bias = is_set("attention_bias", everywhere);
    features.feed_forward_bias = is_set("mlp_bias", everywhere);
    features.parallel_residual =
        features.parallel_residual && is_set("use_parallel_residual", true);
    features.scores_by_inverse_layer = is_set(kScoresByInverseLayer);
    const auto activation = config_.find(family_.keys.activation);
    if (activation) features.activation = read_activation(*activation);
  }

  Activation read_activation(const JsonCursor& value) const {
    const std::string& name = value.string();
    if (name == "silu" || name == "swish") return Activation::kSilu;
    if (name == "gelu") return Activation::kGelu;
    for (const char* tanh : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"}) {
      if (name == tanh) return Activation::kGeluTanh;
    }
    refuse_model(place_, "activation " + quote(name) + " is not implemented");
  }

  void read_scores(DecoderConfig& c) const {
    c.query_scalar = positive_or_zero("query_pre_attn_scalar");
    c.score_cap = positive_or_zero("attn_logit_softcapping");
    c.logit_cap = positive_or_zero("final_logit_softcapping");
  }

  void read_positions(DecoderConfig& c) const {
    const int64_t context = number(family_.keys.max_positions, kMaxPositions);
    c.max_positions = context;
    if (c.features.learned_positions) {
      check_decoder_config(c, place_);
    } else {
      const RopeReader rope(
          config_,
          place_,
          {.theta = family_.keys.rope_theta, .rotary_share = family_.keys.rotary_share});
      c.max_positions = rope.max_positions(context);
      c.rotary_size = rope.rotary_size(c.head_size);
      // transformers ignores it in the other families, and may not be what the model was made with.
      if (c.rotary_size != c.head_size && !family_.turns_part_of_heads) {
        refuse_in_family("partial_rotary_factor");
      }
      // Before frequencies are computed from them.
      c.rope.theta = rope.theta();
      check_decoder_config(c, place_);
      c.rope = rope.read(c.rotary_size);
    }
    read_window(c);
    if (family_.sliding == SlidingLayers::kAllButEverySixth) {
      const RopeReader local(config_,
                             place_,
                             {.theta = "rope_local_base_freq",
                              .layer_type = "sliding_attention",
                              .reads_scaling = false});
      c.local_rope = local.read(c.rotary_size);
    }
  }

  /// A window as wide as the context hides nothing, but layers that slide may turn differently.
  void read_window(DecoderConfig& c) const {
    const auto window = config_.find("sliding_window");
    const bool is_off = family_.sliding == SlidingLayers::kUpper && !is_set("use_sliding_window");
    c.slides = read_layer_types(c);
    if (c.slides.empty() && window && !is_off) c.slides = layers_of_family(c);
    if (std::find(c.slides.begin(), c.slides.end(), true) == c.slides.end()) c.slides.clear();
    if (c.slides.empty()) return;
    if (!window) config_.at("sliding_window").fail("is not a number, but layers slide");
    c.window = window->integer(1, kMaxPositions);
  }

  std::vector<bool> read_layer_types(const DecoderConfig& c) const {
    const auto types = config_.find("layer_types");
    if (!types) return {};
    if (family_.hf == "phi3") refuse_in_family("layer_types");  // all of its layers slide, or none
    if (types->size() != static_cast<size_t>(c.num_layers)) {
      types->fail("names " + std::to_string(types->size()) + " layers of " +
                  std::to_string(c.num_layers));
    }
    std::vector<bool> slides;
    for (size_t i = 0; i < types->size(); ++i) {
      const std::string type = types->item(i).string();
      slides.push_back(type == "sliding_attention");
      const bool is_known =
          type == "full_attention" || (slides.back() && family_.sliding != SlidingLayers::kNone);
      if (!is_known) refuse_model(place_, "layer_types: " + quote(type) + " is not implemented");
    }
    return slides;
  }

  std::vector<bool> layers_of_family(const DecoderConfig& c) const {
    const int64_t first = family_.sliding == SlidingLayers::kUpper
                              ? config_.at("max_window_layers").integer(0, kMaxLayers)
                              : 0;
    const int64_t pattern = number_or("sliding_window_pattern", kMaxLayers, 6);
    std::vector<bool> slides;
    for (int64_t layer = 0; layer < c.num_layers; ++layer) {
      switch (family_.sliding) {
        case SlidingLayers::kNone:
          // transformers ignores it there, and may not be what the model was made with.
          if (config_.at("sliding_window").integer(1, kMaxPositions) < c.max_positions) {
            refuse_in_family("sliding_window");
          }
          return {};
        case SlidingLayers::kAll:
        case SlidingLayers::kUpper:
          slides.push_back(layer >= first);
          break;
        case SlidingLayers::kEveryOther:
          slides.push_back(layer % 2 == 0);
          break;
        case SlidingLayers::kAllButEverySixth:
          slides.push_back((layer + 1) % pattern != 0);
          break;
      }
    }
    return slides;
  }

  const JsonCursor& config_;
  const Family& family_;
  const std::string& place_;
};

}  // namespace

DecoderConfig decoder_config_from_hf(const std::string& dir) {
  const std::string place = dir + "/config.json";
  const json document = parse_json_file(place, ExitCode::kModel);
  const Family& family =
      family_of(JsonCursor(document, place, ExitCode::kModel).at("model_type").string(), place);
  const json numbers = with_defaults(document, family.hf, place);
  const JsonCursor config(numbers, place, ExitCode::kModel);
  return ConfigReader(config, family, place).read();
}

}  // namespace prescript
