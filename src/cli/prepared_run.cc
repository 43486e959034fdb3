#include "cli/prepared_run.h"

#include <thread>

#include "base/counted.h"
#include "base/secret_seed.h"
#include "cli/initial_soft_prompts.h"
#include "cli/private_run.h"
#include "cli/run_plan.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

void warn_about(const PreparedRun& run) {
  const DataRecipe& data = run.recipe.data;
  if (run.data.train_hash == run.data.validation_hash) {
    write_warning(
        "data.validation: the same exemplars as data.train; its loss says nothing about "
        "questions that the soft prompt has not seen");
  }
  if (data.few_shot > 0) {
    write_warning("the adapter will hold the text of " +
                  counted(data.few_shot, "few-shot exemplar") +
                  "; prescript export --without-few-shot strips it");
  }
  if (run.data.not_accepted > 0) {
    write_warning("data: " + counted(run.data.not_accepted, "exemplar") +
                  " left out: their review has not accepted them");
  }
  if (!run.canaries.empty()) {
    write_warning("canaries: the adapter learns " +
                  counted(run.canaries.size(), "canary exemplar") +
                  " beside the exemplars; it is for an audit, not for use");
  }
  if (run.data.without_rationale > 0) {
    write_warning("data.rationale: " + counted(run.data.without_rationale, "exemplar") +
                  " without a rationale; what is learned there is the answer alone");
  }
  const int64_t processors = std::thread::hardware_concurrency();  // that this process may run on
  const int64_t threads = run.recipe.training.threads.value_or(0);
  if (processors > 0 && threads > processors) {
    write_warning("training.threads: " + counted(threads, "thread") + " on " +
                  counted(processors, "processor") +
                  " wait for each other; left out, it is what this machine has");
  }
}

}  // namespace

PreparedRun prepare_run(const std::string& recipe_path,
                        const std::vector<std::string>& overrides,
                        bool may_be_absent) {
  PreparedRun run{
      .recipe = read_recipe(recipe_path, overrides), .files = {}, .data = {}, .initial = {}};
  if (!may_be_absent) check_device(run.recipe.device);
  run.files = open_base_model(run.recipe.base_model);
  TrainingDataOptions data_options = training_data_options(run.recipe);
  run.canaries = draw_canaries(run.recipe.canaries.count.value_or(0), run.recipe.training.seed);
  for (const Canary& canary : run.canaries) {
    for (int64_t i = 1; i <= run.recipe.canaries.repetitions.value_or(1); ++i) {
      data_options.planted.push_back(canary_exemplar(canary, canary.secret, i));
    }
  }
  run.data = load_training_data(run.files, data_options);
  run.recipe.data.date = run.data.hard_prompt.date;
  run.initial = initial_soft_prompts(run.recipe, run.files, write_warning);
  if (run.recipe.privacy.noise) {
    run.noise_key = run.recipe.privacy.seed ? *run.recipe.privacy.seed : secret_seed();
  }
  warn_about(run);
  check_privacy(run);
  return run;
}

}  // namespace prescript
