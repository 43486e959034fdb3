#pragma once
// The schema of an evaluation: its YAML description as checked structs (docs/EVALUATION.md).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "recipe/given_values.h"
#include "recipe/recipe.h"

namespace prescript {

/// The base model among the systems of an evaluation: no adapter may be called so.
inline constexpr const char* kBaseName = "base";

/// Exemplars shown before a question.
struct FewShotRecipe {
  std::string from;  // a file
  int64_t count = 5;

  bool operator==(const FewShotRecipe&) const = default;
};

/// The questions of one file, and how they are asked.
struct TaskRecipe {
  std::string name;       // its key
  std::string questions;  // a file; required
  std::optional<int64_t> limit = {};
  std::optional<std::string> hard_prompt = {};  // name of an adapter
  std::optional<std::string> format = {};       // chat | plain
  std::optional<std::string> instruction = {};
  std::optional<std::string> reasoning_instruction = {};
  FewShotRecipe few_shot = {};
  std::optional<std::vector<std::string>> strategies = {};
  std::optional<std::vector<std::string>> scoring = {};

  bool operator==(const TaskRecipe&) const = default;
};

struct SelfConsistencyRecipe {
  int64_t num_samples = 11;
  double temperature = 0.7;  // of the samples of selective prediction too

  bool operator==(const SelfConsistencyRecipe&) const = default;
};

struct SelectivePredictionRecipe {
  int64_t num_samples = 41;
  double target_accuracy = 0.9;
  std::optional<std::string> threshold_from = {};  // name of the task whose threshold is stored

  bool operator==(const SelectivePredictionRecipe&) const = default;
};

struct MaxNewTokensRecipe {
  int64_t answer = 16;
  int64_t reasoning = 256;
  int64_t long_form = 256;

  bool operator==(const MaxNewTokensRecipe&) const = default;
};

struct BootstrapRecipe {
  int64_t replicas = 1000;
  uint64_t seed = 1;

  bool operator==(const BootstrapRecipe&) const = default;
};

struct EvaluationRecipe {
  std::string base_model;                 // required
  std::optional<std::string> dtype = {};  // as the adapters were trained, else bf16
  std::string device = "auto";
  WeightsRecipe weights = {.format = "converted", .residence = "device"};
  OrAuto<int64_t> threads = {};
  OrAuto<int64_t> micro_batch_tokens = {};
  bool base = true;  // whether the base model answers too
  std::vector<std::pair<std::string, std::string>> adapters = {};  // name, directory
  bool allow_other_base = false;
  std::vector<TaskRecipe> tasks = {};  // at least one
  std::vector<std::string> strategies = {"zero_shot"};
  std::vector<std::string> scoring = {"letter", "text", "generation"};
  SelfConsistencyRecipe self_consistency = {};
  SelectivePredictionRecipe selective_prediction = {};
  MaxNewTokensRecipe max_new_tokens = {};
  std::optional<std::vector<std::string>> exemplars = {};  // files that adapters were trained on
  BootstrapRecipe bootstrap = {};
  uint64_t seed = 1;
  std::string output;  // required

  bool operator==(const EvaluationRecipe&) const = default;
};

/// Every key of these recipes.
const std::vector<KnownKey>& evaluation_recipe_keys();

/// Reads a recipe of an evaluation and applies `overrides`, as read_recipe does. Throws
/// InputError(kUsage) likewise.
EvaluationRecipe read_evaluation_recipe(const std::string& path,
                                        std::span<const std::string> overrides);

/// Whether the file is a recipe of an evaluation rather than of a training: it has tasks. Throws
/// InputError(kUsage) for what is no YAML.
bool is_evaluation_recipe(const std::string& path);

/// Every setting as (key path, YAML text of its value), and the recipe as YAML that reads back as
/// the same recipe.
std::vector<std::pair<std::string, std::string>> evaluation_settings(
    const EvaluationRecipe& recipe);
std::string evaluation_yaml(const EvaluationRecipe& recipe);

/// The keys as docs/EVALUATION.md lists them: path, what is allowed, default ("required" where
/// there is none).
struct DocumentedKey {
  std::string path, allowed, default_value;
};
std::vector<DocumentedKey> documented_evaluation_keys();

}  // namespace prescript
