// config.json of an HF directory.

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"
#include "model/decoder_config.h"
#include "model/decoder_config_check.h"
#include "model/family.h"

namespace prescript {
namespace {

const Family& family_of(const std::string& name, const std::string& place) {
  const auto found = std::find_if(
      kFamilies.begin(), kFamilies.end(), [&](const Family& family) { return family.hf == name; });
  if (found == kFamilies.end()) {
    refuse_model(place, "model_type: the family " + quote(name) + " is not implemented");
  }
  return *found;
}

double positive(const JsonCursor& value) {
  if (!(value.number() > 0)) value.fail("is not positive");
  return value.number();
}

/// The parameters of rotary positions, in either spelling of transformers.
class RopeReader {
 public:
  RopeReader(const JsonCursor& config, const std::string& place) : config_(config), place_(place) {
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
      const auto rope = config.find(key);
      if (!rope) continue;
      if (!rope->is_object()) rope->fail("expected an object");
      if (name_ != nullptr) rope->fail("is beside " + std::string(name_) + "; keep one of them");
      name_ = key;
      parameters_ = rope;
      for (const char* type_key : {"rope_type", "type"}) {
        if (const auto type = rope->find(type_key)) type_ = type->string();
      }
    }
    read_theta();
  }

  double theta() const { return theta_; }

  /// Elements of a head of `head_size` that turn.
  int64_t rotary_size(int64_t head_size) const {
    auto factor = find("partial_rotary_factor");
    if (!factor) factor = config_.find("partial_rotary_factor");
    if (!factor) return head_size;
    if (!(factor->number() > 0 && factor->number() <= 1)) factor->fail("is not in (0, 1]");
    return static_cast<int64_t>(static_cast<double>(head_size) * factor->number());
  }

  /// Positions whose frequencies do not depend on the length of the sequence.
  int64_t max_positions() const {
    const int64_t all = config_.at("max_position_embeddings").integer(1, kMaxPositions);
    return is_longrope() ? std::min(all, static_cast<int64_t>(original_positions())) : all;
  }

  Rope read(int64_t size) const {
    if (type_ == "default" || type_ == "dynamic") {  // that one begins behind max_positions
      expect_keys(type_ == "default" ? std::initializer_list<const char*>{}
                                     : std::initializer_list<const char*>{"factor"});
      return {.theta = theta_};
    }
    if (type_ == "linear") {
      expect_keys({"factor"});
      return linear_rope(theta_, size, positive(at("factor")));
    }
    if (type_ == "llama3") return read_llama3(size);
    if (type_ == "yarn") return read_yarn(size);
    if (is_longrope()) return read_longrope(size);
    refuse_model(
        place_,
        std::string(name_) + ".rope_type: rope scaling " + quote(type_) + " is not implemented");
  }

 private:
  void read_theta() {
    std::optional<double> theta;
    if (const auto inner = find("rope_theta")) theta = inner->number();
    const auto top = config_.find("rope_theta");
    if (top && theta && top->number() != *theta) {
      top->fail("differs from the rope_theta of rope_parameters; keep one of them");
    }
    if (top) theta = top->number();
    if (!theta) {
      throw InputError(ExitCode::kModel,
                       place_ +
                           ": rope_theta is missing (also in rope_parameters); add the base that "
                           "the model was trained with, it is never guessed");
    }
    theta_ = *theta;
  }

  bool is_longrope() const { return type_ == "longrope" || type_ == "su"; }

  std::optional<JsonCursor> find(const char* key) const {
    return parameters_ ? parameters_->find(key) : std::nullopt;
  }
  JsonCursor at(const char* key) const { return parameters_->at(key); }

  /// Refuses what no scaling of this type reads.
  void expect_keys(std::initializer_list<const char*> keys) const {
    if (!parameters_) return;
    for (const std::string& name : parameters_->keys()) {
      const bool is_common = name == "rope_theta" || name == "rope_type" || name == "type" ||
                             name == "partial_rotary_factor";
      if (is_common || std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
      refuse_model(place_, std::string(name_) + "." + name + " is not implemented");
    }
  }

  double original_positions() const {
    const char* const key = "original_max_position_embeddings";
    if (const auto inner = find(key)) return positive(*inner);
    return positive(config_.at(key));
  }

  Rope read_llama3(int64_t size) const {
    expect_keys(
        {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"});
    const Llama3Scaling scaling{.factor = positive(at("factor")),
                                .low_frequency_factor = positive(at("low_freq_factor")),
                                .high_frequency_factor = positive(at("high_freq_factor")),
                                .original_positions = original_positions()};
    if (!(scaling.high_frequency_factor > scaling.low_frequency_factor)) {
      at("high_freq_factor").fail("is not above low_freq_factor");
    }
    return llama3_rope(theta_, size, scaling);
  }

  Rope read_yarn(int64_t size) const {
    expect_keys({"factor",
                 "original_max_position_embeddings",
                 "attention_factor",
                 "beta_fast",
                 "beta_slow",
                 "truncate"});
    YarnScaling scaling{.factor = positive(at("factor")),
                        .original_positions = original_positions()};
    if (const auto beta = find("beta_fast")) scaling.fast_turns = positive(*beta);
    if (const auto beta = find("beta_slow")) scaling.slow_turns = positive(*beta);
    if (const auto truncate = find("truncate")) scaling.rounds_borders = truncate->boolean();
    Rope rope = yarn_rope(theta_, size, scaling);
    if (const auto factor = find("attention_factor")) rope.attention_factor = positive(*factor);
    return rope;
  }

  Rope read_longrope(int64_t size) const {
    expect_keys({"short_factor",
                 "long_factor",
                 "factor",
                 "attention_factor",
                 "original_max_position_embeddings"});
    const JsonCursor divisors = at("short_factor");
    if (divisors.size() != static_cast<size_t>(size / 2)) {
      divisors.fail("has " + std::to_string(divisors.size()) + " factors; " +
                    std::to_string(size / 2) + " pairs turn");
    }
    std::vector<float> values;
    for (size_t i = 0; i < divisors.size(); ++i) {
      values.push_back(static_cast<float>(positive(divisors.item(i))));
    }
    Rope rope = divided_rope(theta_, size, values);
    const double original = original_positions();
    const auto given = find("factor");
    const double factor =
        given ? positive(*given) : positive(config_.at("max_position_embeddings")) / original;
    if (factor > 1) rope.attention_factor = std::sqrt(1 + std::log(factor) / std::log(original));
    if (const auto said = find("attention_factor")) rope.attention_factor = positive(*said);
    return rope;
  }

  const JsonCursor& config_;
  const std::string& place_;
  const char* name_ = nullptr;
  std::optional<JsonCursor> parameters_;
  std::string type_ = "default";
  double theta_ = 0;
};

/// A window as wide as the context hides nothing.
void refuse_sliding_window(const JsonCursor& config,
                           const Family& family,
                           int64_t max_positions,
                           const std::string& place) {
  if (const auto types = config.find("layer_types")) {
    for (size_t i = 0; i < types->size(); ++i) {
      if (types->item(i).string() != "full_attention") {
        refuse_model(place,
                     "layer_types: " + quote(types->item(i).string()) + " is not implemented");
      }
    }
    return;
  }
  const auto window = config.find("sliding_window");
  const auto uses = config.find("use_sliding_window");
  const bool is_off = family.hf.starts_with("qwen") && !(uses && uses->boolean());
  if (window && !is_off && window->integer(1, kMaxPositions) < max_positions) {
    refuse_model(place, "sliding_window is not implemented");
  }
}

void refuse_unknown_features(const JsonCursor& config, const std::string& place) {
  for (const char* key : {"num_local_experts",
                          "num_experts",
                          "quantization_config",
                          "attn_logit_softcapping",
                          "final_logit_softcapping",
                          "query_pre_attn_scalar",
                          "logits_scaling",
                          "embedding_multiplier",
                          "residual_multiplier",
                          "attention_multiplier"}) {
    if (config.find(key)) refuse_model(place, std::string(key) + " is not implemented");
  }
  const auto activation = config.find("hidden_act");
  if (activation && activation->string() != "silu") {
    refuse_model(place, "hidden_act " + quote(activation->string()) + " is not implemented");
  }
}

}  // namespace

DecoderConfig decoder_config_from_hf(const std::string& dir) {
  const std::string place = dir + "/config.json";
  const nlohmann::json document = parse_json_file(place, ExitCode::kModel);
  const JsonCursor config(document, place, ExitCode::kModel);
  const Family& family = family_of(config.at("model_type").string(), place);
  refuse_unknown_features(config, place);
  const auto number = [&](const char* key, int64_t max) { return config.at(key).integer(1, max); };
  const auto number_or = [&](const char* key, int64_t max, int64_t otherwise) {
    const auto value = config.find(key);
    return value ? value->integer(1, max) : otherwise;
  };
  const auto is_set = [&](const char* key) {
    const auto value = config.find(key);
    return value && value->boolean();
  };

  DecoderConfig c;
  c.family = family.hf;
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
  c.norm_epsilon = config.at("rms_norm_eps").number();
  const RopeReader rope(config, place);
  c.max_positions = rope.max_positions();
  c.rotary_size = rope.rotary_size(c.head_size);
  c.tied_head =
      is_set("tie_word_embeddings");  // transformers' default for these families is untied
  c.query_key_value_bias = family.query_key_value_bias || is_set("attention_bias");
  c.output_bias = is_set("attention_bias");
  c.feed_forward_bias = is_set("mlp_bias");
  c.query_key_norms = family.query_key_norms;
  c.fused_tensors = family.fused_tensors;
  c.interleaved_in_gguf = family.interleaved_in_gguf;
  refuse_sliding_window(config, family, c.max_positions, place);
  // Before frequencies are computed from them.
  c.rope.theta = rope.theta();
  check_decoder_config(c, place);
  c.rope = rope.read(c.rotary_size);
  return c;
}

}  // namespace prescript
