// prescript validate: everything that a run checks, short of loading weights.

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/counted.h"
#include "cli/commands.h"
#include "cli/evaluation_checks.h"
#include "cli/evaluation_run.h"
#include "cli/facts.h"
#include "cli/output_kind.h"
#include "cli/prepared_run.h"
#include "cli/private_run.h"
#include "cli/recipe_arguments.h"
#include "cli/run_plan.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct Arguments {
  RecipeArguments run;
  bool json = false;
};

/// Whether the command whose output it is could write into `output` or make it. Nothing is made
/// now.
void check_output(const std::string& output, OutputKind kind) {
  const auto refuse = [&](const fs::path& at, const char* found) {
    throw InputError(ExitCode::kUsage,
                     "output: " + output + ": " + at.string() + " is not " + found +
                         "; choose another with output=DIR");
  };
  fs::path existing = fs::absolute(output).lexically_normal();
  std::error_code error;
  while (!fs::exists(fs::symlink_status(existing, error)) && existing.has_relative_path()) {
    existing = existing.parent_path();
  }
  if (!fs::is_directory(existing, error)) refuse(existing, "a directory");
  if (::access(existing.c_str(), W_OK | X_OK) != 0) refuse(existing, "writable");
  check_output_kind(output, kind);
  if (!is_occupied(output, kind)) return;
  const bool is_evaluation = kind == OutputKind::kEvaluation;
  write_warning(
      "output: " + output + " holds " +
      (is_evaluation ? "an evaluation already; evaluate" : "a training run already; train") +
      " will need --resume, which goes on with it, or --overwrite, which drops it; "
      "output=DIR takes another directory");
}

int validate_evaluation(const Arguments& arguments) {
  const EvaluationRun run = prepare_evaluation(arguments.run.recipe, arguments.run.overrides);
  check_evaluation(run);
  check_output(run.recipe.output, OutputKind::kEvaluation);
  size_t num_questions = 0;
  for (const Task& task : run.tasks) num_questions += task.questions.size();
  if (arguments.json) {
    write_result(json_line({{"ok", true},
                            {"systems", run.systems.size()},
                            {"tasks", run.tasks.size()},
                            {"questions", num_questions},
                            {"answers", num_answers_of(run)}}));
    return 0;
  }
  write_result("ok: " + counted(num_questions, "question") + " in " +
               counted(run.tasks.size(), "task") + " for " + counted(run.systems.size(), "system") +
               ", " + counted(num_answers_of(run), "answer"));
  return 0;
}

int validate_training(const Arguments& arguments) {
  PreparedRun run = prepare_run(arguments.run.recipe, arguments.run.overrides);
  check_output(run.recipe.output, OutputKind::kTrainingRun);
  resolve(run, nullptr);
  const auto ops = make_ops(run.recipe);
  RunMemory memory = run_memory(run.recipe, *ops, run.files, run.data);
  settle_memory(run.recipe, memory);
  const TrainingData& data = run.data;
  const bool is_private = run.recipe.privacy.noise.has_value();
  const bool is_search = run.recipe.search != SearchRecipe();
  if (arguments.json) {
    ordered_json facts = {{"ok", true},
                          {"train", data.train.size()},
                          {"validation", data.validation.size()},
                          {"few_shot", data.hard_prompt.few_shot.size()}};
    if (is_search) facts["candidates"] = run.initial.size();
    if (is_private) facts["privacy"] = privacy_facts(run.recipe, data, run.recipe.training.steps);
    write_result(json_line(facts));
    return 0;
  }
  write_result("ok: " + counted(data.train.size(), "exemplar") + " to train on, " +
               std::to_string(data.validation.size()) + " to validate on, " +
               std::to_string(data.hard_prompt.few_shot.size()) + " in the hard prompt" +
               (is_search ? ", " + counted(run.initial.size(), "candidate") : ""));
  if (is_private) {
    write_result("privacy: the whole run will cost " +
                 describe_privacy(run.recipe, data, run.recipe.training.steps));
  }
  return 0;
}

}  // namespace

void add_validate(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "validate", "Check a recipe and all that it names, short of loading weights");
  command->footer(
      "Example: prescript validate recipes/demo.yaml training.steps=60\n"
      "Checks the recipe, the model's files, every exemplar's rendering and length, how the soft "
      "prompt begins,\n"
      "memory, and the output directory; of an evaluation's recipe, the adapters and every "
      "question.\nWrites nothing but one line, \"ok\" with counts.");
  add_recipe_arguments(*command, arguments->run);
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([arguments, &action] {
    action = [arguments] {
      const bool is_evaluation = is_evaluation_recipe(arguments->run.recipe);
      return is_evaluation ? validate_evaluation(*arguments) : validate_training(*arguments);
    };
  });
}

}  // namespace prescript
