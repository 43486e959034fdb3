#pragma once
// Signs that a run is going wrong.

#include <cstdint>
#include <string>
#include <vector>

namespace prescript {

/// What a candidate is watched for.
struct WatchOptions {
  /// Root mean square norm of the embedding's rows; 0: norms are not watched.
  double vocabulary_norm = 0;
  int64_t rate_step = 1;  // the first with the highest learning rate
  int64_t num_steps = 0;  // of the run
  int64_t window = 1;     // steps whose mean loss is compared
};

/// The steps whose mean loss says what the exemplars' does.
int64_t loss_window(int64_t num_exemplars, int64_t batch_size);

/// What was seen so far; part of a checkpoint.
struct Watch {
  int64_t num_losses = 0;
  double first_sum = 0;  // of the losses of the first window
  double last_sum = 0;   // of those of the last
  bool has_warned_of_norm = false;
};

/// A step of a candidate. Norms are root mean squares over the rows of its soft prompt.
struct WatchedStep {
  int64_t step = 0;
  double loss = 0;
  double learning_rate = 0;
  double norm = 0;             // before the update
  double change = 0;           // by the update
  double validation_fall = 0;  // of the best loss below the start's, as a share; 0: not known
};

/// Watches one step. Returns what is to be warned of, each sign at most once a run: rows whose norm
/// is far from the vocabulary's, a learning rate that is off by orders of magnitude, a training
/// loss that has not fallen.
std::vector<std::string> watch(const WatchOptions& options, const WatchedStep& step, Watch& seen);

}  // namespace prescript
