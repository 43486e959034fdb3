#include "model/rope_hf.h"

#include <algorithm>
#include <cmath>

#include "io/quote.h"
#include "model/decoder_config_check.h"

namespace prescript {
namespace {

double positive(const JsonCursor& value) {
  if (!(value.number() > 0)) value.fail("is not positive");
  return value.number();
}

}  // namespace

RopeReader::RopeReader(const JsonCursor& config, const std::string& place, const RopePlace& keys)
    : config_(config), place_(place), keys_(keys) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = config.find(key);
    if (!rope) continue;
    if (!rope->is_object()) rope->fail("expected an object");
    if (!name_.empty()) rope->fail("is beside " + name_ + "; keep one of them");
    const auto of_layers = rope->find(keys_.layer_type);
    if (!of_layers && !keys_.reads_scaling) continue;
    name_ = key;
    if (of_layers) name_ += std::string(".") + keys_.layer_type;
    parameters_ = of_layers ? of_layers : rope;
    read_type();
  }
  read_theta();
}

void RopeReader::read_type() {
  const auto type = find("rope_type");
  const auto old_type = find("type");
  if (type && old_type && type->string() != old_type->string()) {
    old_type->fail("differs from rope_type; keep one of them");
  }
  if (type) type_ = type->string();
  if (old_type) type_ = old_type->string();
}

int64_t RopeReader::rotary_size(int64_t head_size) const {
  auto factor = find("partial_rotary_factor");
  if (!factor) factor = config_.find(keys_.rotary_share);
  if (!factor) return head_size;
  if (!(factor->number() > 0 && factor->number() <= 1)) factor->fail("is not in (0, 1]");
  return static_cast<int64_t>(static_cast<double>(head_size) * factor->number());
}

int64_t RopeReader::max_positions(int64_t all) const {
  return is_longrope() ? std::min(all, static_cast<int64_t>(original_positions())) : all;
}

Rope RopeReader::read(int64_t size) const {
  if (type_ == "default" || type_ == "dynamic") {  // that one begins behind max_positions
    expect_keys(type_ == "default" ? std::initializer_list<const char*>{}
                                   : std::initializer_list<const char*>{"factor"});
    return {.theta = theta_, .scaling = type_};
  }
  if (type_ == "linear") {
    expect_keys({"factor"});
    return linear_rope(theta_, size, positive(at("factor")));
  }
  if (type_ == "llama3") return read_llama3(size);
  if (type_ == "yarn") return read_yarn(size);
  if (is_longrope()) return read_longrope(size);
  refuse_model(place_, name_ + ".rope_type: rope scaling " + quote(type_) + " is not implemented");
}

void RopeReader::read_theta() {
  std::optional<double> theta;
  if (const auto inner = find("rope_theta")) theta = inner->number();
  const auto top = config_.find(keys_.theta);
  if (top && theta && top->number() != *theta) {
    top->fail("differs from the rope_theta of rope_parameters; keep one of them");
  }
  if (top) theta = top->number();
  theta_ = theta.value_or(kDefaultRopeTheta);
}

std::optional<JsonCursor> RopeReader::find(const char* key) const {
  return parameters_ ? parameters_->find(key) : std::nullopt;
}

/// Refuses what no scaling of this type reads.
void RopeReader::expect_keys(std::initializer_list<const char*> keys) const {
  if (!parameters_) return;
  for (const std::string& name : parameters_->keys()) {
    const bool is_common = name == "rope_theta" || name == "rope_type" || name == "type" ||
                           name == "partial_rotary_factor";
    if (is_common || std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    refuse_model(place_, name_ + "." + name + " is not implemented");
  }
}

double RopeReader::original_positions() const {
  const char* const key = "original_max_position_embeddings";
  const auto inner = find(key);
  if (!inner) return positive(config_.at(key));
  const auto top = config_.find(key);
  if (top && top->number() != inner->number()) {
    top->fail("differs from that of " + name_ + "; keep one of them");
  }
  return positive(*inner);
}

Rope RopeReader::read_llama3(int64_t size) const {
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

Rope RopeReader::read_yarn(int64_t size) const {
  expect_keys({"factor",
               "original_max_position_embeddings",
               "attention_factor",
               "beta_fast",
               "beta_slow",
               "truncate"});
  YarnScaling scaling{.factor = positive(at("factor")), .original_positions = original_positions()};
  if (const auto beta = find("beta_fast")) scaling.fast_turns = positive(*beta);
  if (const auto beta = find("beta_slow")) scaling.slow_turns = positive(*beta);
  if (const auto truncate = find("truncate")) scaling.rounds_borders = truncate->boolean();
  Rope rope = yarn_rope(theta_, size, scaling);
  if (const auto factor = find("attention_factor")) rope.attention_factor = positive(*factor);
  return rope;
}

Rope RopeReader::read_longrope(int64_t size) const {
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

}  // namespace prescript
