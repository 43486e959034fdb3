#pragma once
// Which exemplars each step sees.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/training_data.h"

namespace prescript {

/// The exemplars of `step` (from 1), as indices below `num_exemplars`: `batch_size` consecutive
/// places of the endless row of epochs, each of which holds every exemplar once in an order drawn
/// from (seed, epoch). Batches straddle epochs; nothing needs to be stored for a resume.
std::vector<size_t> batch_of_step(size_t num_exemplars,
                                  int64_t batch_size,
                                  uint64_t seed,
                                  int64_t step);

/// The same as exemplars.
std::vector<const TrainingExemplar*> exemplars_of_step(
    const std::vector<TrainingExemplar>& exemplars,
    int64_t batch_size,
    uint64_t seed,
    int64_t step);

}  // namespace prescript
