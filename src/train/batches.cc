#include "train/batches.h"

#include "base/error.h"
#include "base/random.h"

namespace prescript {

std::vector<size_t> batch_of_step(size_t num_exemplars,
                                  int64_t batch_size,
                                  uint64_t seed,
                                  int64_t step) {
  PRESCRIPT_CHECK(num_exemplars > 0 && batch_size > 0 && step > 0, "an empty batch");
  const auto size = static_cast<uint64_t>(batch_size);
  uint64_t place = static_cast<uint64_t>(step - 1) * size;
  const uint64_t end = place + size;
  std::vector<size_t> batch;
  while (place < end) {
    const uint64_t epoch = place / num_exemplars;
    const auto order = shuffled_indices(num_exemplars, RandomStream(seed, "epoch order", epoch));
    for (; place < end && place / num_exemplars == epoch; ++place) {
      batch.push_back(order[place % num_exemplars]);
    }
  }
  return batch;
}

std::vector<const TrainingExemplar*> exemplars_of_step(
    const std::vector<TrainingExemplar>& exemplars,
    int64_t batch_size,
    uint64_t seed,
    int64_t step) {
  std::vector<const TrainingExemplar*> batch;
  for (const size_t index : batch_of_step(exemplars.size(), batch_size, seed, step)) {
    batch.push_back(&exemplars[index]);
  }
  return batch;
}

}  // namespace prescript
