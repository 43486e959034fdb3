// What prescript inspect says about a recipe of an evaluation, and about an evaluation's output.

#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/evaluation_run.h"
#include "cli/inspect.h"
#include "evaluate/evaluation_directory.h"
#include "evaluate/judge.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

const char* name_of(TaskKind kind) {
  return kind == TaskKind::kMultipleChoice ? "multiple_choice" : "long_form";
}

/// A task, and what it asks of all systems together.
ordered_json task_facts(const EvaluationRun& run, const Task& task) {
  ordered_json strategies = ordered_json::array();
  for (const Strategy strategy : task.strategies)
    strategies.push_back(prescript::name_of(strategy));
  ordered_json few_shot = ordered_json::array();
  for (const Exemplar& exemplar : task.few_shot) few_shot.push_back(exemplar.id);
  int64_t new_tokens = 0;
  for (const NeededComputation& needed : needed_computations(task)) {
    if (needed.computation == Computation::kOptions) continue;
    new_tokens += work_of(task, needed, ask_options(run, task)) * std::ssize(task.questions) *
                  std::ssize(run.systems);
  }
  return {{"path", task.path},
          {"form", name_of(task.kind)},
          {"num_questions", task.questions.size()},
          {"num_in_file", task.num_in_file},
          {"strategies", strategies},
          {"few_shot", few_shot},
          {"num_answers", num_answers_of(run, task)},
          {"most_new_tokens", new_tokens}};
}

}  // namespace

ordered_json inspect_evaluation_recipe(const std::string& path,
                                       const std::vector<std::string>& overrides) {
  const EvaluationRun run = prepare_evaluation(path, overrides);
  ordered_json systems = ordered_json::array();
  for (const AskedSystem& system : run.systems) systems.push_back(system.name);
  ordered_json tasks = ordered_json::object();
  for (const Task& task : run.tasks) tasks[task.name] = task_facts(run, task);
  return {{"kind", "evaluation recipe"},
          {"path", path},
          {"base_model", run.recipe.base_model},
          {"output", run.recipe.output},
          {"systems", systems},
          {"num_answers", num_answers_of(run)},
          {"tasks", tasks}};
}

ordered_json inspect_evaluation(const std::string& dir) {
  const EvaluationFiles files = read_evaluation(dir);
  const EvaluationDescription& description = files.description;
  ordered_json systems = ordered_json::array();
  for (const EvaluatedSystem& system : description.systems) systems.push_back(system.name);
  ordered_json tasks = ordered_json::object();
  for (const EvaluatedTask& task : description.tasks) {
    tasks[task.name] = {{"path", task.questions},
                        {"form", name_of(task.kind)},
                        {"num_questions", task.num_questions},
                        {"num_in_file", task.num_in_file},
                        {"strategies", task.strategies}};
  }
  const Answered so_far = answered(files);
  const std::string report = dir + "/" + kReportHtml;
  return {{"kind", "evaluation"},
          {"path", dir},
          {"base_model", description.identity.base_model},
          {"date", description.identity.date},
          {"systems", systems},
          {"num_answers", so_far.answers},
          {"num_answers_needed", so_far.answers_needed},
          {"report", std::filesystem::exists(report) ? ordered_json(report) : ordered_json()},
          {"tasks", tasks}};
}

}  // namespace prescript
