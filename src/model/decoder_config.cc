#include "model/decoder_config.h"

#include <algorithm>
#include <cmath>

#include "model/decoder_config_check.h"
#include "model/family.h"

namespace prescript {

double DecoderConfig::embedding_scale() const {
  return features.scaled_embedding ? std::sqrt(static_cast<double>(hidden_size)) : 1;
}

AttentionShape DecoderConfig::attention_shape(int64_t layer) const {
  const double scalar = query_scalar == 0 ? static_cast<double>(head_size) : query_scalar;
  const double divisor = features.scores_by_inverse_layer ? static_cast<double>(layer + 1) : 1;
  return {num_heads, num_kv_heads, head_size, 1 / (std::sqrt(scalar) * divisor), score_cap};
}

int64_t DecoderConfig::num_layer_parameters() const {
  return num_layers * (hidden_size * (2 * query_size() + 2 * kv_size()) +
                       hidden_size * (gate_up_size() + feed_forward_size));
}

void check_decoder_config(const DecoderConfig& c, const std::string& place) {
  const auto require = [&](bool holds, const std::string& message) {
    if (!holds) throw InputError(ExitCode::kModel, place + ": " + message);
  };
  require(c.num_heads % c.num_kv_heads == 0,
          std::to_string(c.num_heads) + " query heads are not a multiple of " +
              std::to_string(c.num_kv_heads) + " key/value heads");
  require(c.rotary_size % 2 == 0,
          "rotary size " + std::to_string(c.rotary_size) + " is odd; positions turn pairs");
  require(c.rotary_size <= c.head_size,
          "rotary size " + std::to_string(c.rotary_size) + " is more than the head's " +
              std::to_string(c.head_size));
  require(c.norm_epsilon > 0 && c.norm_epsilon < 1, "epsilon of the norms is not in (0, 1)");
  const bool turns = !c.features.learned_positions;
  require(!turns || (c.rope.theta > 0 && c.rope.theta < 1e12), "rope base is not in (0, 1e12)");
  for (const double positive : {c.query_scalar, c.score_cap, c.logit_cap}) {
    require(positive >= 0 && std::isfinite(positive), "a scale or cap of scores is negative");
  }
}

void refuse_model(const std::string& place, const std::string& what) {
  std::string families;
  for (const Family& family : kFamilies) {
    families += (families.empty() ? "" : ", ") + std::string(family.hf);
  }
  throw InputError(
      ExitCode::kModel,
      place + ": " + what + "; implemented today: the families " + families + " (docs/MODELS.md)");
}

}  // namespace prescript
