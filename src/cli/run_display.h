#pragma once
// What a person sees of a training run: progress, and a summary at its end.

#include <optional>
#include <string>

#include "cli/terminal.h"
#include "train/run_log.h"
#include "train/run_state.h"

namespace prescript {

std::string rounded(double value, int digits);

/// "1437 rows (1745 unshared, 1832 padded)": computed ones, and those of a run that shares nothing.
std::string describe_rows(const StepReport& report);

/// "783 GFLOP, 80.7 GFLOP/s, 61 % of the measured peak", without what was not measured.
std::string describe_flops(const StepReport& report);

/// Shows the steps of this process on stderr, and sums up what they took.
class RunDisplay {
 public:
  /// `steps` of the run, on `device`.
  RunDisplay(int64_t steps, std::string device) : steps_(steps), device_(std::move(device)) {}

  /// `steps_done` by an earlier process.
  void begin(int64_t steps_done);
  void show(const StepReport& report);
  void show(const ValidationReport& report);
  void end();

  /// What the steps of this process took, as results; nothing where there was none.
  void write_costs() const;

 private:
  int64_t steps_;
  std::string device_;
  int64_t first_step_ = 0;
  StepReport total_;  // of the shown steps, up to `total_.step`
  std::optional<Progress> progress_;
};

/// The validation losses of a run, as results.
void write_losses(const RunState& state);

}  // namespace prescript
