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

struct StepResult {
  double loss = 0;              // mean over all targets of the exemplars
  std::vector<float> gradient;  // of the loss, [P, D]; empty from validation
  int64_t num_targets = 0;
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;  // that the exemplars take one by one
  int64_t rows_padded = 0;    // that they take padded to the longest
  double flops = 0;
};

/// A soft prompt in the memory of a decoder's backend, and the forests it runs through.
class PromptedDecoder {
 public:
  /// `decoder` must outlive this.
  PromptedDecoder(Decoder& decoder, int64_t num_virtual_tokens, const StepOptions& options);

  /// Loss and gradient over these exemplars. Throws InputError(kNotFinite) naming the exemplars
  /// when a log-probability or the gradient is not finite.
  StepResult differentiate(std::span<const TrainingExemplar* const> exemplars,
                           std::span<const float> prompt_PD);

  /// The loss alone. An empty `prompt_PD` scores without a soft prompt.
  StepResult score(std::span<const TrainingExemplar* const> exemplars,
                   std::span<const float> prompt_PD);

 private:
  std::vector<Sequence> sequences(std::span<const TrainingExemplar* const> exemplars,
                                  bool with_prompt) const;

  /// K/V of the head start, or nothing; computed when they are first asked for, since that may be
  /// interrupted.
  std::vector<KeyValueRun*> given();

  Decoder& decoder_;
  int64_t num_virtual_tokens_;
  StepOptions options_;
  std::vector<std::vector<Row>> given_rows_;  // the head start, or none
  std::optional<KeyValueRun> head_start_;
  Buffer block_;
  Tensor prompt_PD_;
  Tensor gradient_PD_;
};

}  // namespace prescript
