// prescript train: learns a soft prompt and exports it.

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "base/counted.h"
#include "cli/commands.h"
#include "cli/dry_run.h"
#include "cli/initial_soft_prompts.h"
#include "cli/output_kind.h"
#include "cli/planned_tuning.h"
#include "cli/prepared_run.h"
#include "cli/private_run.h"
#include "cli/recipe_arguments.h"
#include "cli/run_display.h"
#include "cli/run_plan.h"
#include "cli/search_report.h"
#include "cli/stop_signal.h"
#include "cli/terminal.h"
#include "train/peak.h"

namespace prescript {
namespace {

struct Arguments {
  RecipeArguments run;
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  std::optional<std::string> gradient;
};

/// Before a step is computed for it.
void check_gradient_path(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::file_status status = fs::status(path);
  if (!path.empty() && (!fs::exists(status) || fs::is_regular_file(status))) return;
  throw InputError(ExitCode::kUsage,
                   "--gradient: '" + path + "' is not the path of a file that can be written");
}

/// Whether `dir` holds exactly these files.
bool holds(const std::string& dir, const std::map<std::string, std::string>& files) {
  size_t num_same = 0;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(dir, absent)) {
    const auto file = files.find(entry.path().filename().string());
    if (file == files.end() || !entry.is_regular_file()) return false;
    if (entry.file_size() != file->second.size()) return false;
    if (read_file(entry.path().string(), file->second.size()) != file->second) return false;
    ++num_same;
  }
  return num_same == files.size();
}

/// The best of the best candidate by validation, or the last; written only where it is not there
/// already.
void export_adapter(const RunState& run, Adapter adapter, const std::string& path) {
  const CandidateState& state = run.candidates[best_candidate(run)];
  adapter.prompt = state.prompt;
  int64_t step = run.step;
  if (state.best_loss) {
    adapter.prompt.values_PD = state.best_prompt_PD;
    step = state.best_step;
    adapter.metrics["validation_loss"] = *state.best_loss;
    if (run.loss_without_prompt) {
      adapter.metrics["validation_loss_without_soft_prompt"] = *run.loss_without_prompt;
    }
    if (state.loss_at_start) adapter.metrics["validation_loss_at_start"] = *state.loss_at_start;
    if (state.loss_at_start && *state.loss_at_start <= *state.best_loss) {
      write_warning(
          "no step was better than the start by validation loss; the adapter is the best "
          "of the others (step " +
          std::to_string(step) + "); try a lower learning rate or more exemplars");
    }
  }
  adapter.provenance["step"] = std::to_string(step);
  if (!holds(path, adapter_files(adapter))) publish_adapter(adapter, path);
}

/// The newest checkpoint of the run to go on with, if it has one yet.
std::optional<Checkpoint> checkpoint_to_resume(const RunDirectory& directory) {
  auto checkpoint = directory.newest_checkpoint(
      [](const std::string& reason) { write_warning(reason + "; an older one is taken"); });
  if (!checkpoint) {
    write_message("no checkpoint yet in " + directory.path() + ": starting from the beginning");
  }
  return checkpoint;
}

/// A run that goes on draws and adds noise as it would have.
void take_noise_key(const Checkpoint& checkpoint, PreparedRun& run) {
  const auto kept = checkpoint.identity.find(kNoiseKey);
  if (!run.noise_key || run.recipe.privacy.seed || kept == checkpoint.identity.end()) return;
  run.noise_key = std::stoull(kept->second);
}

void check_not_past(const RunState& state, const Recipe& recipe) {
  if (state.step <= recipe.training.steps) return;
  throw InputError(ExitCode::kUsage,
                   "training.steps: it is " + std::to_string(recipe.training.steps) +
                       ", but the run in this directory has finished step " +
                       std::to_string(state.step) + "; ask for at least as many to resume");
}

/// The recipe of the run that goes on. A run that had to take smaller passes may not have come to
/// write them into its recipe: its checkpoint has those that it was computed with.
std::optional<Recipe> recorded_recipe(const RunDirectory& directory, const Checkpoint& checkpoint) {
  if (!std::filesystem::exists(directory.recipe_path())) return std::nullopt;
  Recipe recipe = read_recipe(directory.recipe_path(), {});
  const auto rows = checkpoint.identity.find("training.micro_batch_tokens");
  if (rows != checkpoint.identity.end() && rows->second != "null") {
    recipe.training.micro_batch_tokens = std::stoll(rows->second);
  }
  return recipe;
}

/// Where numbers may be others than they would have been, in their last bits.
void tell_of_another_device(const Recipe* recorded, const Recipe& recipe) {
  if (recorded == nullptr || recorded->device == recipe.device) return;
  write_warning("device: the run in this directory was computed on " + recorded->device +
                " and goes on on " + recipe.device + ", which rounds otherwise");
}

int run(PreparedRun run, const Arguments& arguments) {
  using Mode = RunDirectory::Mode;
  check_output_kind(run.recipe.output, OutputKind::kTrainingRun);
  RunDirectory directory(run.recipe.output,
                         arguments.resume      ? Mode::kResume
                         : arguments.overwrite ? Mode::kOverwrite
                                               : Mode::kNew);
  std::optional<Checkpoint> checkpoint;
  std::optional<Recipe> recorded;
  if (arguments.resume) checkpoint = checkpoint_to_resume(directory);
  if (checkpoint) recorded = recorded_recipe(directory, *checkpoint);
  const bool may_shrink = !run.recipe.training.micro_batch_tokens;
  resolve(run, recorded ? &*recorded : nullptr);
  tell_of_another_device(recorded ? &*recorded : nullptr, run.recipe);
  std::unique_ptr<Ops> ops = make_ops(run.recipe);
  RunMemory memory = run_memory(run.recipe, *ops, run.files, run.data);
  const RunPlan plan = settle_memory(run.recipe, memory);
  const AdapterIdentity base_identity = run.files.identity();
  RunState state;
  if (checkpoint) {
    take_noise_key(*checkpoint, run);
    check_same_run(checkpoint->identity, identity_of(run, base_identity));
    PRESCRIPT_CHECK(checkpoint->state.candidates.size() == run.initial.size(), "candidates");
    state = std::move(checkpoint->state);
    check_not_past(state, run.recipe);
    write_message("resuming after step " + std::to_string(state.step));
  } else {
    for (SoftPrompt& prompt : run.initial) state.candidates.push_back({.prompt = prompt});
  }
  TuneOptions options = tune_options(run.recipe, run.noise_key.value_or(0));
  RunDisplay display(run.recipe.training.steps, run.recipe.device);

  if (is_finished(state, options)) {
    write_message("the run is finished already");
  } else {
    options.vocabulary_norm = vocabulary_norm(run.files);
    BaseModel base(std::move(run.files), compute_options(run.recipe), std::move(ops));
    if (checkpoint) {
      directory.replace_recipe(recipe_yaml(run.recipe));
    } else {
      directory.begin(recipe_yaml(run.recipe), canary_lines(run.canaries));
    }
    options.peak_flops_per_second = measure_peak(base.ops(), compute_dtype(run.recipe));
    if (options.privacy) {
      write_message("privacy: the whole run will cost " +
                    describe_privacy(run.recipe, run.data, run.recipe.training.steps));
    }
    remember_stop_signals();
    display.begin(state.step);
    const TuneObserver observer{
        .on_step = [&](const StepReport& report) { display.show(report); },
        .on_validation = [&](const ValidationReport& report) { display.show(report); },
        .on_failure =
            [&](size_t candidate, const std::string& what) {
              display.end();
              write_warning(describe_candidate(run.recipe, candidate) + " is out: " + what);
            },
        .stop_requested = stop_requested};
    const auto warn = [&](const std::string& text) {
      display.end();
      write_warning(text);
    };
    PlannedTuning tuning(run, plan, memory, may_shrink, warn);
    const TuneEnd end =
        tuning.tune(base.decoder(), base_identity, options, directory, state, observer);
    display.end();
    if (end == TuneEnd::kStopped) {
      write_message("prescript: stopped by a signal after step " + std::to_string(state.step) +
                    ", which is kept; the same command with --resume goes on");
      return static_cast<int>(ExitCode::kPreempted);
    }
  }
  Adapter adapter = adapter_of_run(run.recipe, best_candidate(state), base_identity, run.data);
  const int64_t charged = charged_steps(run.recipe, state.step);
  if (options.privacy) {
    // Of all steps: the choice of the best looked at each.
    adapter.metrics["privacy_epsilon"] = epsilon_of_run(run.recipe, run.data, charged);
    adapter.metrics["privacy_delta"] = options.privacy->delta;
  }
  export_adapter(state, std::move(adapter), directory.adapter_path());
  if (run.recipe.search != SearchRecipe()) {
    write_file_durably(directory.search_path(), search_json(run.recipe, state));
    write_search_table(run.recipe, state);
  }
  write_losses(state);
  display.write_costs();
  if (options.privacy) {
    write_result("privacy  " + describe_privacy(run.recipe, run.data, charged));
  }
  write_result("adapter  " + printable(directory.adapter_path()));
  return 0;
}

int train(const Arguments& arguments) {
  catch_stop_signals();
  if (arguments.gradient) check_gradient_path(*arguments.gradient);
  PreparedRun prepared = prepare_run(arguments.run.recipe, arguments.run.overrides);
  return arguments.dry_run ? dry_run(std::move(prepared), arguments.gradient)
                           : run(std::move(prepared), arguments);
}

}  // namespace

void add_train(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("train", "Learn a soft prompt and export it");
  command->footer(
      "Example: prescript train recipes/demo.yaml training.steps=60 output=checkpoints/longer\n"
      "Writes recipe.yaml (resolved), metrics.jsonl, TensorBoard events, checkpoints/, adapter/ "
      "and,\n"
      "of a search, search.json into the recipe's output directory. SIGTERM and SIGINT keep the "
      "last\n"
      "finished step and exit with 75.\n"
      "docs/RECIPES.md explains every key.");
  add_recipe_arguments(*command, arguments->run);
  auto* resume = command->add_flag(
      "--resume", arguments->resume, "go on after the last checkpoint in the output directory");
  auto* overwrite = command->add_flag(
      "--overwrite", arguments->overwrite, "drop the run that the output directory holds");
  overwrite->excludes(resume);
  auto* dry = command->add_flag(
      "--dry-run", arguments->dry_run, "load, plan and run one step, but write nothing");
  dry->excludes(resume)->excludes(overwrite);
  command->add_option("--gradient", arguments->gradient, "write the dry run's gradient [P, D] here")
      ->needs(dry)
      ->type_name("FILE.safetensors");
  command->callback([arguments, &action] { action = [arguments] { return train(*arguments); }; });
}

}  // namespace prescript
