#pragma once
// One step of training, and one validation: sequences through the forest.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "infer/splice.h"
#include "model/forest_run.h"
#include "train/training_data.h"

namespace prescript {

struct StepOptions {
  RunPlan plan = {};
  bool share = true;
  PromptPosition position = PromptPosition::kStart;
  /// Rows of text before the soft prompt, with which every exemplar begins: computed once for all
  /// steps, and not counted in any, where `share` is true.
  std::vector<Row> head_start = {};
};

/// Exemplars that one soft prompt of a step reads.
struct PromptedBatch {
  std::vector<const TrainingExemplar*> exemplars;
  std::span<const float> prompt_PD;  // empty: without a soft prompt
};

/// The sequences of all batches of a forest, those of batch i behind soft prompt i, and what each
/// belongs to.
struct PromptedSequences {
  std::vector<Sequence> sequences;
  std::vector<size_t> batch_of;
  std::vector<const TrainingExemplar*> exemplar_of;
};

PromptedSequences sequences_of(std::span<const PromptedBatch> batches,
                               int64_t num_virtual_tokens,
                               PromptPosition position);

/// The batches of each forest in which validation scores `exemplars` under all `prompts_PD`.
std::vector<std::vector<PromptedBatch>> batches_of_validation(
    std::span<const TrainingExemplar* const> exemplars,
    std::span<const std::span<const float>> prompts_PD);

/// What became of a batch.
struct PromptResult {
  double loss = 0;              // mean over all targets of the exemplars
  std::vector<float> gradient;  // of the loss, [P, D]; empty from validation
  int64_t num_targets = 0;
  std::string not_finite;  // which numbers are not, at which exemplars; empty: all are
};

struct StepResult {
  std::vector<PromptResult> prompts;
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;  // that the exemplars take one by one
  int64_t rows_padded = 0;    // that they take padded to the longest
  double flops = 0;
  PhaseSeconds phases = {};
};

/// Thrown where the backend has not enough memory for a forest in passes of `rows()` rows.
class OutOfMemory : public DeviceError {
 public:
  OutOfMemory(const DeviceError& error, int64_t rows)
      : DeviceError(error.what(), error.code()), rows_(rows) {}
  int64_t rows() const { return rows_; }

 private:
  int64_t rows_;
};

/// Soft prompts in the memory of a decoder's backend, and the forests they run through, side by
/// side: each result is that of the soft prompt alone, up to rounding.
class PromptedDecoder {
 public:
  /// For at most `num_prompts` soft prompts at a time. `decoder` must outlive this.
  PromptedDecoder(Decoder& decoder,
                  int64_t num_prompts,
                  int64_t num_virtual_tokens,
                  const StepOptions& options);

  /// Loss and gradient of each batch. Throws OutOfMemory. Returns when the backend is done.
  StepResult differentiate(std::span<const PromptedBatch> batches);

  /// The loss of `exemplars` under each soft prompt. Throws OutOfMemory.
  StepResult score(std::span<const TrainingExemplar* const> exemplars,
                   std::span<const std::span<const float>> prompts_PD);

 private:
  /// K/V of the head start, or nothing; computed when they are first asked for, since that may be
  /// interrupted.
  std::vector<KeyValueRun*> given();
  void upload(size_t index, std::span<const float> prompt_PD);

  /// What `run` returns, which computes `forest`.
  template <typename Run>
  ForestResult run_within_memory(const Forest& forest, const Run& run) const;

  Decoder& decoder_;
  int64_t num_virtual_tokens_;
  StepOptions options_;
  std::vector<std::vector<Row>> given_rows_;  // the head start, or none
  std::optional<KeyValueRun> head_start_;
  Buffer block_;
  std::vector<Tensor> prompts_PD_;
  std::vector<Tensor> gradients_PD_;
};

}  // namespace prescript
