#pragma once
// A recipe of an evaluation and all that it names, opened and checked; no weights yet.

#include <memory>
#include <string>
#include <vector>

#include "cli/inference.h"
#include "evaluate/ask.h"
#include "evaluate/result.h"
#include "evaluate/task.h"
#include "recipe/evaluation_recipe.h"

namespace prescript {

struct EvaluationRun {
  EvaluationRecipe recipe;
  std::unique_ptr<InferenceInputs> inputs;  // base and adapters
  std::vector<AskedSystem> systems;         // the base first, if it answers
  std::vector<Task> tasks;
  AskOptions ask;  // num_samples is each task's own
  EvaluationDescription description;
};

/// Reads the recipe, opens base and adapters, reads the questions, draws samples and few-shot
/// exemplars, and checks that every question fits. Doubts become warnings. Throws InputError as its
/// parts do.
EvaluationRun prepare_evaluation(const std::string& recipe,
                                 const std::vector<std::string>& overrides);

/// The options of one task.
AskOptions ask_options(const EvaluationRun& run, const Task& task);

/// How many answers an evaluation takes, or a task of it: computations of a question by a system.
size_t num_answers_of(const EvaluationRun& run);
size_t num_answers_of(const EvaluationRun& run, const Task& task);

}  // namespace prescript
