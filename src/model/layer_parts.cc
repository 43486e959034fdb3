#include "model/layer_parts.h"

namespace prescript {

LayerParts::LayerParts(const DecoderConfig& config, const Pass& pass)
    : num_layers_(config.num_layers),
      slides_(config.slides),
      inner_(pass.parts),
      output_(pass.output_parts) {
  if (slides_.empty()) return;
  local_ = parts_in_window(pass.parts, pass.positions, config.window);
  local_output_ = parts_of_rows(local_, pass.output_rows);
}

}  // namespace prescript
