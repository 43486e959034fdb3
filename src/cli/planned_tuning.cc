#include "cli/planned_tuning.h"

#include "base/counted.h"

namespace prescript {

TuneEnd PlannedTuning::tune(Decoder& decoder,
                            const AdapterIdentity& base,
                            const TuneOptions& options,
                            RunDirectory& directory,
                            RunState& state,
                            const TuneObserver& observer) {
  const auto attempt = [&] {
    return prescript::tune(decoder,
                           step_options(run_.recipe, plan_, run_.data),
                           run_.data,
                           options,
                           directory,
                           identity_of(run_, base),
                           state,
                           observer);
  };
  try {
    return attempt();
  } catch (const OutOfMemory& error) {
    if (!may_shrink_ || error.rows() < 2) fail(error);
    shrink(error, directory);
  }
  try {
    return attempt();
  } catch (const OutOfMemory& error) {
    fail(error);
  }
}

void PlannedTuning::shrink(const OutOfMemory& error, RunDirectory& directory) {
  plan_.max_rows = (error.rows() + 1) / 2;
  plan_.rows_together /= 2;
  run_.recipe.training.micro_batch_tokens = plan_.max_rows;
  directory.replace_recipe(recipe_yaml(run_.recipe));
  warn_(std::string(error.what()) + "; going on with at most " + counted(plan_.max_rows, "row") +
        " at a time");
}

void PlannedTuning::fail(const OutOfMemory& error) const {
  throw DeviceError(std::string(error.what()) + "; with at most " + counted(plan_.max_rows, "row") +
                    " at a time the plan was for " + describe_needs(memory_, plan_) +
                    "; close other programs, lower training.memory_gb or "
                    "training.micro_batch_tokens, or use a smaller base model");
}

}  // namespace prescript
