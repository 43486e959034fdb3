#pragma once
// Instruction prompt tuning: the loop.

#include <functional>
#include <optional>

#include "train/learning_rate.h"
#include "train/optimizer.h"
#include "train/private_step.h"
#include "train/run_directory.h"
#include "train/run_log.h"
#include "train/step.h"

namespace prescript {

/// What candidates of a search differ in, beside the first soft prompt.
struct CandidateOptions {
  double learning_rate = 0;  // the highest of the schedule
  double weight_decay = 0;
  uint64_t seed = 1;  // of the order of exemplars
};

struct TuneOptions {
  std::vector<CandidateOptions> candidates = {};  // one without a search
  OptimizerKind optimizer = OptimizerKind::kAdamW;
  LearningRateSchedule schedule = {};  // its steps are those of the run
  double clip_norm = 0;                // 0: no clipping
  int64_t batch_size = 1;              // exemplars a step, of each candidate
  int64_t evaluate_every = 1;          // steps; also before the first and behind the last
  int64_t checkpoint_every = 1;
  std::optional<int64_t> patience = {};  // evaluations without a better one, then a candidate ends
  double peak_flops_per_second = 0;      // of the processor, for reports; 0: not measured
  /// Root mean square norm of the embedding's rows, for warnings; 0: none about norms.
  double vocabulary_norm = 0;
  /// DP-SGD, of a single candidate: batch_size is then the expected one, and at most the exemplars
  /// that there are.
  std::optional<PrivacyOptions> privacy = {};
};

/// What the loop tells, and asks.
struct TuneObserver {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const ValidationReport&)> on_validation = {};
  /// A candidate (index) is out of the run, since a loss or gradient was not finite.
  std::function<void(size_t candidate, const std::string& message)> on_failure = {};
  std::function<bool()> stop_requested = {};  // asked before each layer
};

enum class TuneEnd {
  kFinished,  // all steps, or no candidate left with patience
  kStopped,   // stop_requested; the last finished step is in a checkpoint
};

/// Learns the soft prompt of every candidate in `state`, from wherever it stands to the end of the
/// run: all of them in one forest a step, each as it would alone. The decoder's weights are never
/// changed. `identity` goes into every checkpoint.
///
/// A candidate whose loss or gradient is not finite is out of the run, as long as another is left.
/// Throws InputError(kNotFinite) naming step and exemplars when none is, and OutOfMemory where the
/// passes of a step are too large: the step is not applied, what was finished before is in a
/// checkpoint.
/// Source   Lester et al. 2021 (soft prompt), Singhal et al. 2023 (instruction prompt tuning).
TuneEnd tune(Decoder& decoder,
             const StepOptions& step_options,
             const TrainingData& data,
             const TuneOptions& options,
             RunDirectory& directory,
             const RunIdentity& identity,
             RunState& state,
             const TuneObserver& observer);

/// Whether a candidate still learns.
bool is_active(const CandidateState& candidate, const TuneOptions& options);

/// Whether the run of `state` has nothing left to do.
bool is_finished(const RunState& state, const TuneOptions& options);

}  // namespace prescript
