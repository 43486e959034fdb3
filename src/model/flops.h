#pragma once
// FLOPs of a pass (a multiply-add is two), by what they are spent on.

#include "forest/pass.h"
#include "model/decoder_config.h"

namespace prescript {

struct Flops {
  double products = 0;  // of rows with the weights of layers
  double attention = 0;
  double head = 0;

  double total() const { return products + attention + head; }
};

/// Of a forward.
Flops forward_flops(const DecoderConfig& config, const Pass& pass);

/// Of the forward of one layer that is not the last.
Flops inner_layer_flops(const DecoderConfig& config, const Pass& pass);

/// Of the input gradient, where that of the forward are `forward`.
Flops input_gradient_flops(const Flops& forward);

/// FLOPs that `pass` needs, forward, or forward and input gradient; nothing recomputed counts.
double count_flops(const DecoderConfig& config, const Pass& pass, bool training);

}  // namespace prescript
