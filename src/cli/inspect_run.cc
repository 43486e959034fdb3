// What prescript inspect says about a run's output directory, and about a checkpoint of it.

#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "cli/run_plan.h"
#include "recipe/recipe.h"
#include "train/run_directory.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

ordered_json number_or_null(const std::optional<double>& number) {
  return number ? ordered_json(*number) : ordered_json();
}

/// Of the candidate that is the best so far, and where there are several of each of them.
ordered_json progress_of(const RunState& state) {
  const size_t index = best_candidate(state);
  const CandidateState& best = state.candidates[index];
  ordered_json facts = {
      {"step", state.step},
      {"validation_loss",
       {{"without_soft_prompt", number_or_null(state.loss_without_prompt)},
        {"at_start", number_or_null(best.loss_at_start)},
        {"last", number_or_null(best.last_loss)},
        {"best", number_or_null(best.best_loss)}}},
      {"best_step", best.best_loss ? ordered_json(best.best_step) : ordered_json()}};
  if (state.candidates.size() == 1) return facts;
  facts["best_candidate"] = index + 1;
  for (const CandidateState& candidate : state.candidates) {
    ordered_json one = {{"steps", candidate.optimizer.num_steps},
                        {"at_start", number_or_null(candidate.loss_at_start)},
                        {"last", number_or_null(candidate.last_loss)},
                        {"best", number_or_null(candidate.best_loss)}};
    if (candidate.failed_step) one["failed_step"] = *candidate.failed_step;
    facts["candidates"].push_back(one);
  }
  return facts;
}

}  // namespace

ordered_json inspect_checkpoint(const std::string& path) {
  const Checkpoint checkpoint = read_checkpoint(path);
  ordered_json facts = {{"kind", "checkpoint"}, {"path", path}};
  facts.update(progress_of(checkpoint.state));
  facts["num_virtual_tokens"] = checkpoint.state.candidates[0].prompt.num_virtual_tokens;
  facts["hidden_size"] = checkpoint.state.candidates[0].prompt.hidden_size;
  facts["identity"] = checkpoint.identity;
  for (const char* secret : {kNoiseKey, "privacy.seed"}) {
    if (checkpoint.identity.contains(secret)) facts["identity"][secret] = kSecretKept;
  }
  return facts;
}

ordered_json inspect_run(const std::string& dir) {
  const Recipe recipe = read_recipe(dir + "/recipe.yaml", {});
  ordered_json facts = {{"kind", "run"},
                        {"path", dir},
                        {"base_model", recipe.base_model},
                        {"train", recipe.data.train},
                        {"device", recipe.device},
                        {"steps", recipe.training.steps}};
  ordered_json checkpoints = ordered_json::array();
  std::optional<Checkpoint> newest;
  for (const auto& [step, file] : list_checkpoints(dir + "/checkpoints")) {
    checkpoints.push_back(file);
    if (newest) continue;
    try {
      newest = read_checkpoint(file);
    } catch (const InputError& error) {
      checkpoints.back() = std::string(error.what());
    }
  }
  if (newest) facts.update(progress_of(newest->state));
  facts["checkpoints"] = checkpoints;
  const std::string adapter = dir + "/adapter";
  facts["adapter"] = std::filesystem::exists(adapter) ? ordered_json(adapter) : ordered_json();
  return facts;
}

}  // namespace prescript
