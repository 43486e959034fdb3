#pragma once
// A recipe with all that it names, read and checked: how training and validation begin.

#include <optional>
#include <string>
#include <vector>

#include "adapter/soft_prompt.h"
#include "infer/base_model_files.h"
#include "recipe/recipe.h"
#include "text/canary.h"
#include "train/training_data.h"

namespace prescript {

struct PreparedRun {
  Recipe recipe;
  BaseModelFiles files;
  TrainingData data;
  std::vector<SoftPrompt> initial;  // of each candidate
  std::vector<Canary> canaries = {};
  /// Of drawn exemplars and noise, under privacy: the recipe's, else a secret of this run.
  std::optional<uint64_t> noise_key = {};
};

/// Everything short of weights. Throws InputError for each mistake, and where `device` is not here
/// unless that `may_be_absent`; what passes with a doubt is a warning on stderr.
PreparedRun prepare_run(const std::string& recipe_path,
                        const std::vector<std::string>& overrides,
                        bool may_be_absent = false);

}  // namespace prescript
