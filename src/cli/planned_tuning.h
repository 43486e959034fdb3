#pragma once
// The loop within a memory plan that may turn out too large.

#include <functional>
#include <string>

#include "cli/prepared_run.h"
#include "cli/run_plan.h"

namespace prescript {

/// What a plan divides may be less than it was when it was made: others use the machine too. Where
/// a step then does not fit, the loop goes on once with passes of half the rows, which the run's
/// recipe and checkpoints have from then on.
class PlannedTuning {
 public:
  /// Does not change passes unless `may_shrink`: the recipe may ask for passes of its own. `run`
  /// and `memory` must outlive this.
  PlannedTuning(PreparedRun& run,
                RunPlan plan,
                const RunMemory& memory,
                bool may_shrink,
                std::function<void(const std::string&)> warn)
      : run_(run), plan_(plan), memory_(memory), may_shrink_(may_shrink), warn_(std::move(warn)) {}

  /// As prescript::tune. Throws DeviceError (exit 5) with what the plan was for where a step does
  /// not fit.
  TuneEnd tune(Decoder& decoder,
               const AdapterIdentity& base,
               const TuneOptions& options,
               RunDirectory& directory,
               RunState& state,
               const TuneObserver& observer);

 private:
  void shrink(const OutOfMemory& error, RunDirectory& directory);
  [[noreturn]] void fail(const OutOfMemory& error) const;

  PreparedRun& run_;
  RunPlan plan_;
  const RunMemory& memory_;
  bool may_shrink_;
  std::function<void(const std::string&)> warn_;
};

}  // namespace prescript
