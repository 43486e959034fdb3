#include "cli/private_run.h"

#include <map>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/run_display.h"
#include "cli/run_plan.h"
#include "cli/terminal.h"
#include "io/quote.h"
#include "train/accountant.h"

namespace prescript {
namespace {

/// An exemplar of the validation set reads as one of the training set.
void check_apart(const TrainingData& data, const Recipe& recipe) {
  std::map<std::vector<int32_t>, const TrainingExemplar*> trained;
  for (const TrainingExemplar& exemplar : data.train) {
    trained.emplace(exemplar.rendered.ids, &exemplar);
  }
  for (const TrainingExemplar& exemplar : data.validation) {
    const auto twin = trained.find(exemplar.rendered.ids);
    if (twin == trained.end()) continue;
    throw InputError(ExitCode::kData,
                     "data.validation: exemplar " + quote(exemplar.id) + " of " +
                         *recipe.data.validation + " is exemplar " + quote(twin->second->id) +
                         " of " + recipe.data.train +
                         "; validation chooses the adapter without noise, so under privacy no "
                         "exemplar may be in both");
  }
}

std::string setting_of(const Recipe& recipe, const std::string& path) {
  for (const auto& [key, value] : recipe_settings(recipe)) {
    if (key == path) return value;
  }
  throw ContractError(path + " is no setting");
}

}  // namespace

void check_privacy(const PreparedRun& run) {
  const Recipe& recipe = run.recipe;
  if (!recipe.privacy.noise) return;
  const auto num_exemplars = std::ssize(run.data.train);
  if (recipe.training.batch_size > num_exemplars) {
    throw InputError(
        ExitCode::kUsage,
        "training.batch_size: " + std::to_string(recipe.training.batch_size) + ", but there are " +
            counted(num_exemplars, "exemplar") +
            " to train on; under privacy it is the expected batch, so at most as many");
  }
  check_apart(run.data, recipe);
  if (*recipe.privacy.delta * static_cast<double>(num_exemplars) >= 1) {
    write_warning(
        "privacy.delta: it is not below 1 / " + std::to_string(num_exemplars) +
        ", so even publishing one exemplar at random would satisfy it; take a smaller one");
  }
  if (recipe.privacy.seed) {
    write_warning(
        "privacy.seed: whoever knows or guesses it can take the noise away; use it for tests "
        "alone");
  }
  if (recipe.soft_prompt.init.from == "adapter") {
    write_warning(
        "soft_prompt.init.path: what that adapter's training gave away is not in this run's "
        "epsilon");
  }
  if (recipe.canaries.repetitions.value_or(1) > 1) {
    write_warning("canaries.repetitions: the noise hides one exemplar, not " +
                  std::to_string(*recipe.canaries.repetitions) + " that hold the same secret");
  }
}

int64_t charged_steps(const Recipe& recipe, int64_t steps_taken) {
  return recipe.training.patience ? recipe.training.steps : steps_taken;
}

double epsilon_of_run(const Recipe& recipe, const TrainingData& data, int64_t steps) {
  const Accountant accountant(
      {.noise_multiplier = *recipe.privacy.noise,
       .sample_rate = sample_rate(data.train.size(), recipe.training.batch_size)});
  return accountant.epsilon(steps, *recipe.privacy.delta);
}

std::string describe_privacy(const Recipe& recipe, const TrainingData& data, int64_t steps) {
  return "epsilon " + rounded(epsilon_of_run(recipe, data, steps), 3) + " at delta " +
         setting_of(recipe, "privacy.delta") + " after " + counted(steps, "step") + " (noise " +
         setting_of(recipe, "privacy.noise") + ", " + std::to_string(recipe.training.batch_size) +
         " of " + counted(data.train.size(), "exemplar") + " a step)";
}

nlohmann::ordered_json privacy_facts(const Recipe& recipe,
                                     const TrainingData& data,
                                     int64_t steps) {
  return {{"epsilon", epsilon_of_run(recipe, data, steps)},
          {"delta", *recipe.privacy.delta},
          {"noise", *recipe.privacy.noise},
          {"clip_norm", *recipe.privacy.clip_norm},
          {"sample_rate", sample_rate(data.train.size(), recipe.training.batch_size)},
          {"steps", steps}};
}

}  // namespace prescript
