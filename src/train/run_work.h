#pragma once
// What the steps and validations of a run compute and hold in memory: from their forests, without
// computing anything.

#include <optional>

#include "model/flops.h"
#include "train/memory_plan.h"
#include "train/step.h"
#include "train/tune.h"

namespace prescript {

/// Of the forwards, or of the backwards, of some passes.
struct PhaseWork {
  Flops flops;
  double row_layers = 0;  // Σ rows · layers, for what a layer does to single rows
};

/// Of a step, a validation, or several; counts may be means.
struct Work {
  double num_passes = 0;
  double rows_computed = 0;
  double rows_unshared = 0;
  double rows_padded = 0;
  double flops = 0;        // needed
  PhaseWork forward = {};  // done: what is recomputed counts again
  PhaseWork backward = {};
  double laid_out = 0;  // weights that passes ask for, were none held in memory

  // At a time.
  ForestBytes bytes = {};
  ScratchExtents scratch = {};

  /// Adds `times` other work, and takes the larger of what is held at a time.
  void add(const Work& other, double times = 1);
};

struct RunWork {
  int64_t num_steps = 0;
  int64_t num_validations = 0;
  int64_t num_steps_examined = 0;
  Work step = {};        // the mean of the examined ones
  Work validation = {};  // with the soft prompt
  Work whole = {};
  Schedule first_step = {};  // its first passes
};

/// Of a run that loses no patience. Of very many steps the first are examined, some two million
/// rows, and stand for the others.
RunWork work_of_run(const BackendTraits& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    const TrainingData& data,
                    int64_t num_virtual_tokens,
                    const StepOptions& step_options,
                    const TuneOptions& options);

}  // namespace prescript
