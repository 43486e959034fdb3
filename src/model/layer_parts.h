#pragma once
// The parts of a pass, as each layer sees them.

#include <span>
#include <vector>

#include "forest/pass.h"
#include "model/decoder_config.h"

namespace prescript {

/// Queries are the pass's rows, or in the last layer its output rows. Refers to `pass`.
class LayerParts {
 public:
  LayerParts() = default;
  LayerParts(const DecoderConfig& config, const Pass& pass);

  std::span<const Part> of(int64_t layer) const {
    return layer + 1 == num_layers_ ? output_of(layer) : inner_of(layer);
  }

 private:
  bool slides(int64_t layer) const { return !slides_.empty() && slides_[layer]; }
  std::span<const Part> inner_of(int64_t layer) const { return slides(layer) ? local_ : inner_; }
  std::span<const Part> output_of(int64_t layer) const {
    return slides(layer) ? local_output_ : output_;
  }

  int64_t num_layers_ = 0;
  std::vector<bool> slides_;
  std::span<const Part> inner_;
  std::span<const Part> output_;
  // Where layers slide.
  std::vector<Part> local_;
  std::vector<Part> local_output_;
};

}  // namespace prescript
