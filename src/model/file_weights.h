#pragma once
// Frozen weights that stay in their file, or in its blocks in a backend's memory.

#include <memory>

#include "model/frozen_weights.h"

namespace prescript {

// As load_weights, behind its checks.

/// kAsStored.
std::unique_ptr<FrozenWeights> make_as_stored_weights(Ops& ops,
                                                      const TensorSource& source,
                                                      const DecoderConfig& config,
                                                      DType dtype);

/// kStreamed.
std::unique_ptr<FrozenWeights> make_streamed_weights(Ops& ops,
                                                     const TensorSource& source,
                                                     const DecoderConfig& config,
                                                     DType dtype);

}  // namespace prescript
