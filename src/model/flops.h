#pragma once
// FLOPs of a pass (a multiply-add is two), by what they are spent on.

#include <span>

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

/// Of the forward of one layer that is not the last and does not slide.
Flops inner_layer_flops(const DecoderConfig& config, const Pass& pass);

/// Of the forward of layers [begin, end), the last not among them, each as far as it looks.
Flops inner_layers_flops(const DecoderConfig& config, const Pass& pass, int64_t begin, int64_t end);

/// Of the input gradient. `kept_runs` are those of the pass's schedule; the keys and values of one
/// that needs no gradient take none.
Flops input_gradient_flops(const DecoderConfig& config,
                           const Pass& pass,
                           std::span<const KeptRun> kept_runs);

/// The same of one layer that is not the last and does not slide.
Flops inner_layer_input_gradient_flops(const DecoderConfig& config,
                                       const Pass& pass,
                                       std::span<const KeptRun> kept_runs);

/// FLOPs that pass `pass` of `schedule` needs, forward, or forward and input gradient; nothing
/// recomputed counts.
double count_flops(const DecoderConfig& config,
                   const Schedule& schedule,
                   const Pass& pass,
                   bool training);

}  // namespace prescript
