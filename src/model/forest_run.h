#pragma once
// Whole forests through the decoder: cut into passes, scored, differentiated.

#include <span>
#include <vector>

#include "forest/forest.h"
#include "model/decoder.h"

namespace prescript {

/// How the rows of a forest are cut and what is kept of them.
struct RunPlan {
  int64_t max_rows = 2048;   // rows of a pass (training.micro_batch_tokens)
  int64_t kept_layers = -1;  // layers whose activations training keeps; -1: all
  /// Rows of passes that go through each layer one behind the other, so that streamed weights are
  /// read once for them; of each pass the rows at layer boundaries are held. 0: a pass goes through
  /// all layers by itself.
  int64_t rows_together = 0;
};

struct ForestResult {
  std::vector<double> log_probs;  // of Forest::targets, in their order
  int64_t rows_computed = 0;
  double flops = 0;  // that it needs (model/flops.h)
};

/// Scores every target of `forest`. `prompts_PD` are the soft prompts its rows name (float32),
/// `given` the K/V of its given runs.
ForestResult score_forest(Decoder& decoder,
                          const Forest& forest,
                          const RunPlan& plan,
                          std::span<const Tensor> prompts_PD,
                          std::span<KeyValueRun* const> given);

/// Scores and adds the gradient of −Σ weight·log_prob to `gradients_PD` (one [P, D] per soft
/// prompt, accumulate dtype).
ForestResult differentiate_forest(Decoder& decoder,
                                  const Forest& forest,
                                  const RunPlan& plan,
                                  std::span<const Tensor> prompts_PD,
                                  std::span<KeyValueRun* const> given,
                                  std::span<const Tensor> gradients_PD);

/// The passes of compute_key_values.
Schedule key_value_schedule(std::span<const Row> rows, int64_t max_rows);

/// K/V of `rows` as the first rows of a sequence, computed once, at most `max_rows` at a time: a
/// given run for later forests.
KeyValueRun compute_key_values(Decoder& decoder,
                               std::span<const Row> rows,
                               int64_t max_rows,
                               std::span<const Tensor> prompts_PD);

/// Bytes of blocks that are held at a time. The backend keeps small and large ones apart: free ones
/// of one kind do not serve the other (PagePool).
struct BlockBytes {
  size_t small = 0;
  size_t large = 0;

  void add(size_t block);
  /// The larger of each kind.
  void raise_to(const BlockBytes& other);
  size_t total() const { return small + large; }
};

/// What a forest holds beside the weights.
struct ForestBytes {
  BlockBytes activations = {};  // of passes
  BlockBytes key_values = {};   // of runs that outlive their pass, with gradients
};

/// The most that score_forest, or in `training` differentiate_forest, allocates at a time for the
/// passes of `schedule`; given runs belong to others.
ForestBytes forest_bytes(const BackendTraits& ops,
                         const DecoderConfig& config,
                         DType dtype,
                         const Schedule& schedule,
                         const RunPlan& plan,
                         bool training);

/// Times that all layers are gone through in a direction for the passes of `schedule`.
int64_t num_ways_through(const Schedule& schedule, const RunPlan& plan);

/// Rows that a run computes at a time, at most.
struct MostRows {
  int64_t trained = INT64_MAX;  // of a step
  int64_t scored = INT64_MAX;   // of a validation or a head start
  int64_t undivided = 1;        // of the longest sequence, which passes of fewer rows hold too
};

/// Bytes that differentiate_forest, for as many rows as are trained at a time, and score_forest
/// need at most beside the weights in passes of `plan.max_rows`: all rows counted as output rows
/// and targets, the first pass's activations held while others run.
size_t training_bytes(const BackendTraits& ops,
                      const DecoderConfig& config,
                      DType dtype,
                      const RunPlan& plan,
                      const MostRows& most_rows = {});

}  // namespace prescript
