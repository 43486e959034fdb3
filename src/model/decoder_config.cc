#include "model/decoder_config.h"

#include "base/error.h"
#include "model/decoder_config_check.h"
#include "model/family.h"

namespace prescript {

int64_t DecoderConfig::num_layer_parameters() const {
  return num_layers * (2 * hidden_size * query_size() + 2 * hidden_size * kv_size() +
                       3 * hidden_size * feed_forward_size);
}

void check_decoder_config(const DecoderConfig& c, const std::string& place) {
  const auto require = [&](bool holds, const std::string& message) {
    if (!holds) throw InputError(ExitCode::kModel, place + ": " + message);
  };
  require(c.num_heads % c.num_kv_heads == 0,
          std::to_string(c.num_heads) + " query heads are not a multiple of " +
              std::to_string(c.num_kv_heads) + " key/value heads");
  require(c.rotary_size % 2 == 0,
          "rotary size " + std::to_string(c.rotary_size) + " is odd; rotary positions need pairs");
  require(c.rotary_size > 0 && c.rotary_size <= c.head_size,
          "rotary size " + std::to_string(c.rotary_size) + " does not fit into heads of " +
              std::to_string(c.head_size));
  require(c.norm_epsilon > 0 && c.norm_epsilon < 1, "epsilon of the norms is not in (0, 1)");
  require(c.rope.theta > 0 && c.rope.theta < 1e12, "rope base is not in (0, 1e12)");
}

void refuse_model(const std::string& place, const std::string& what) {
  std::string families;
  for (const Family& family : kFamilies) {
    families += (families.empty() ? "" : ", ") + std::string(family.hf);
  }
  throw InputError(ExitCode::kModel,
                   place + ": " + what + "; implemented today: the families " + families +
                       ", without sliding window and experts (docs/ARCHITECTURE.md)");
}

}  // namespace prescript
