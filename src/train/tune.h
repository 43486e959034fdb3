#pragma once
// Instruction prompt tuning: the loop.

#include <functional>
#include <optional>

#include "train/adamw.h"
#include "train/learning_rate.h"
#include "train/run_directory.h"
#include "train/run_log.h"
#include "train/step.h"

namespace prescript {

struct TuneOptions {
  LearningRateSchedule schedule = {};  // its steps are those of the run
  AdamWOptions adamw = {};
  double clip_norm = 0;        // 0: no clipping
  int64_t batch_size = 1;      // exemplars a step
  uint64_t seed = 1;           // of the order of exemplars
  int64_t evaluate_every = 1;  // steps; also before the first and behind the last
  int64_t checkpoint_every = 1;
  std::optional<int64_t> patience = {};  // evaluations without a better one, then the run ends
  double peak_flops_per_second = 0;      // of the processor, for reports; 0: not measured
};

/// What the loop tells, and asks.
struct TuneObserver {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const ValidationReport&)> on_validation = {};
  std::function<bool()> stop_requested = {};  // asked before each layer
};

enum class TuneEnd {
  kFinished,  // all steps, or no patience left
  kStopped,   // stop_requested; the last finished step is in a checkpoint
};

/// Learns the soft prompt in `state`, from wherever it stands to the end of the run. The decoder's
/// weights are never changed. `identity` goes into every checkpoint.
///
/// Throws InputError(kNotFinite) naming step and exemplars when a loss or gradient is not finite:
/// the step is not applied, what was finished before is in a checkpoint.
/// Source   Lester et al. 2021 (soft prompt), Singhal et al. 2023 (instruction prompt tuning).
TuneEnd tune(Decoder& decoder,
             const StepOptions& step_options,
             const TrainingData& data,
             const TuneOptions& options,
             RunDirectory& directory,
             const RunIdentity& identity,
             RunState& state,
             const TuneObserver& observer);

/// Whether the run of `state` has nothing left to do.
bool is_finished(const RunState& state, const TuneOptions& options);

}  // namespace prescript
