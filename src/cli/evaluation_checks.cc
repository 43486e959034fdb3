#include "cli/evaluation_checks.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <unistd.h>

#include "base/counted.h"
#include "base/error.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

void check_is_elsewhere(const std::string& file,
                        const std::string& key,
                        const std::string& output) {
  std::error_code error;
  const fs::path inside =
      fs::weakly_canonical(file, error).lexically_relative(fs::weakly_canonical(output, error));
  if (inside.empty() || *inside.begin() == "..") return;
  throw InputError(ExitCode::kUsage,
                   key + ": " + file + " lies in the output directory " + output +
                       ", whose files are replaced; move it elsewhere, or choose another directory "
                       "with output=DIR");
}

void check_inputs_are_elsewhere(const EvaluationRecipe& recipe) {
  for (const TaskRecipe& task : recipe.tasks) {
    const std::string key = "tasks." + task.name;
    check_is_elsewhere(task.questions, key + ".questions", recipe.output);
    if (task.few_shot.from.empty()) continue;
    check_is_elsewhere(task.few_shot.from, key + ".few_shot.from", recipe.output);
  }
  for (const std::string& file : recipe.exemplars.value_or(std::vector<std::string>())) {
    check_is_elsewhere(file, "exemplars", recipe.output);
  }
}

void check_adapters_take_a_threshold(const EvaluationRecipe& recipe) {
  if (!recipe.selective_prediction.threshold_from) return;
  for (const auto& [name, dir] : recipe.adapters) {
    const fs::path path = fs::absolute(dir).lexically_normal();
    const fs::path parent = (path.has_filename() ? path : path.parent_path()).parent_path();
    // An adapter is replaced as a whole, beside itself.
    if (::access(path.c_str(), W_OK) == 0 && ::access(parent.c_str(), W_OK) == 0) continue;
    throw InputError(ExitCode::kUsage,
                     "adapters." + name + ": " + dir +
                         " is not writable, and selective_prediction.threshold_from stores a "
                         "threshold in it; use a copy, or leave threshold_from out");
  }
}

void warn_of_repeats(const Task& task) {
  std::set<std::vector<std::string>> seen;
  size_t repeats = 0;
  for (const Exemplar& question : task.questions) {
    std::vector<std::string> text = {question.context.value_or(""), question.question};
    for (const AnswerOption& option : question.options) text.push_back(option.text);
    repeats += seen.insert(std::move(text)).second ? 0 : 1;
  }
  if (repeats == 0) return;
  write_warning("tasks." + task.name + ": " + counted(repeats, "question") + " of " + task.path +
                " stood there before under another id; intervals take them for different ones and "
                "come out too narrow");
}

void warn_of_threshold(const EvaluationRun& run) {
  const auto& from = run.recipe.selective_prediction.threshold_from;
  const auto source =
      std::ranges::find_if(run.tasks, [&](const Task& task) { return from && task.name == *from; });
  if (source == run.tasks.end()) return;
  for (const Task& task : run.tasks) {
    if (&task == &*source || task.kind != source->kind) continue;
    const size_t shared = ids_that_occur(task.questions, source->questions).size();
    if (shared == 0) continue;
    write_warning("tasks." + task.name + ": " + counted(shared, "question") +
                  " also asked by task " + source->name +
                  ", on which the threshold is chosen; what is deferred there says too little of "
                  "other questions");
  }
}

}  // namespace

void check_evaluation(const EvaluationRun& run) {
  check_inputs_are_elsewhere(run.recipe);
  check_adapters_take_a_threshold(run.recipe);
  for (const Task& task : run.tasks) warn_of_repeats(task);
  warn_of_threshold(run);
}

}  // namespace prescript
