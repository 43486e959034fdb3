#pragma once
// All that a run has learned so far, and the checkpoint files that hold it.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapter/soft_prompt.h"
#include "train/optimizer.h"
#include "train/watch.h"

namespace prescript {

/// What one candidate of a run has learned.
struct CandidateState {
  SoftPrompt prompt = {};
  OptimizerState optimizer = {};

  // Validation; nothing where there is none.
  std::optional<double> loss_at_start = {};
  std::optional<double> last_loss = {};
  std::optional<double> best_loss = {};  // after step 0
  int64_t best_step = 0;
  std::vector<float> best_prompt_PD = {};
  int64_t evaluations_since_best = 0;  // the best of all, step 0 included

  /// Where its loss or gradient was not finite: it is out of the run.
  std::optional<int64_t> failed_step = {};

  Watch watch = {};
};

/// What changes from step to step. Everything else follows from the recipe: order of exemplars,
/// learning rate and random numbers are functions of the step.
struct RunState {
  int64_t step = 0;                        // steps finished
  int64_t evaluated_step = -1;             // the last whose validation is recorded or was not due
  std::vector<CandidateState> candidates;  // one without a search
  std::optional<double> loss_without_prompt;

  // What of the logs belongs to these steps.
  uint64_t metrics_bytes = 0;
  uint64_t events_bytes = 0;
};

/// Which candidate is the best by validation, the first of equals; without validation the first. A
/// failed one never is.
size_t best_candidate(const RunState& state);

/// What a checkpoint belongs to: settings and hashes of contents by name. A run that differs in any
/// of them would not continue what the checkpoint began.
using RunIdentity = std::map<std::string, std::string>;

struct Checkpoint {
  RunState state;
  RunIdentity identity;
};

/// One safetensors file (tensors `prompt`, `best_prompt`, and the optimizer's moments:
/// `first_moment` and `second_moment`, or `row_moment` and `column_moment`; of several candidates
/// `prompt.1`, `prompt.2`, ...; the rest as JSON in its metadata) that holds a hash of itself.
std::string checkpoint_bytes(const Checkpoint& checkpoint);

/// Throws InputError(kUsage) when the file is not a whole, unchanged checkpoint of this version.
Checkpoint read_checkpoint(const std::string& path);

}  // namespace prescript
