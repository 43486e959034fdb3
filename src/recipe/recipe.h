#pragma once
// The schema of a recipe: the YAML description of a run, as checked structs (docs/RECIPES.md).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace prescript {

/// `auto`, or a number that somebody set. Empty is auto.
template <typename T>
using OrAuto = std::optional<T>;

struct WeightsRecipe {
  std::string format = "auto";     // converted | as_stored | auto
  std::string residence = "auto";  // device | streamed | auto

  bool operator==(const WeightsRecipe&) const = default;
};

struct InitRecipe {
  std::string from = "text";  // text | vocabulary | class_labels | uniform | adapter
  /// Of from: text.
  std::string text =
      "You are a careful clinician. Answer the medical question accurately, safely and helpfully, "
      "with the consensus of medical science. ";
  std::optional<std::vector<std::string>> labels = {};  // of from: class_labels
  OrAuto<double> scale = {};                            // of from: uniform
  std::string path;                                     // of from: adapter

  bool operator==(const InitRecipe&) const = default;
};

struct SoftPromptRecipe {
  int64_t num_virtual_tokens = 100;  // [1, 4096]
  std::string position = "start";    // start | after_bos | before_question
  InitRecipe init = {};

  bool operator==(const SoftPromptRecipe&) const = default;
};

struct DataRecipe {
  std::string train;  // required
  std::optional<std::string> validation = {};
  std::string format = "chat";  // chat | plain
  std::optional<std::string> instruction = {};
  int64_t few_shot = 0;  // exemplars in the hard prompt
  bool rationale = false;
  std::optional<std::string> date = {};  // YYYY-MM-DD

  bool operator==(const DataRecipe&) const = default;
};

struct OptimizerRecipe {
  std::string name = "adamw";  // adamw | adafactor
  OrAuto<double> learning_rate = {};
  double weight_decay = 1e-5;
  double clip_norm = 1;             // 0: no clipping
  std::string schedule = "linear";  // constant | linear | cosine
  int64_t warmup_steps = 0;

  bool operator==(const OptimizerRecipe&) const = default;
};

struct TrainingRecipe {
  int64_t steps = 200;
  int64_t batch_size = 32;                  // exemplars a step
  OrAuto<int64_t> micro_batch_tokens = {};  // rows that go through the decoder together
  OrAuto<double> memory_gb = {};
  OrAuto<int64_t> threads = {};
  bool share = true;
  uint64_t seed = 1;
  int64_t evaluate_every = 20;
  int64_t checkpoint_every = 20;
  std::optional<int64_t> patience = {};  // evaluations without a better one, then the run ends

  bool operator==(const TrainingRecipe&) const = default;
};

/// Candidates that are trained side by side: every combination of the lists that are there.
struct SearchRecipe {
  std::optional<std::vector<double>> learning_rate = {};  // for optimizer.learning_rate
  std::optional<std::vector<double>> weight_decay = {};   // for optimizer.weight_decay
  std::optional<std::vector<uint64_t>> seed = {};         // for training.seed

  bool operator==(const SearchRecipe&) const = default;
};

/// DP-SGD; on where there is noise, which needs a clip norm and a delta.
struct PrivacyRecipe {
  std::optional<double> clip_norm = {};  // of one exemplar's gradient
  std::optional<double> noise = {};      // deviation on the sum of gradients, in clip norms
  std::optional<double> delta = {};
  std::optional<uint64_t> seed = {};  // of drawn exemplars and noise; absent: a secret of the run

  bool operator==(const PrivacyRecipe&) const = default;
};

/// Artificial exemplars with random secrets, for `prescript audit`.
struct CanariesRecipe {
  std::optional<int64_t> count = {};
  std::optional<int64_t> repetitions = {};  // of each among the exemplars; absent: 1

  bool operator==(const CanariesRecipe&) const = default;
};

struct Recipe {
  std::string base_model;  // required
  std::string dtype = "bf16";
  std::string device = "auto";
  WeightsRecipe weights = {};
  SoftPromptRecipe soft_prompt = {};
  DataRecipe data = {};
  OptimizerRecipe optimizer = {};
  TrainingRecipe training = {};
  SearchRecipe search = {};
  PrivacyRecipe privacy = {};
  CanariesRecipe canaries = {};
  std::string output;  // required

  bool operator==(const Recipe&) const = default;
};

/// Reads a recipe file (YAML or JSON) and applies `overrides`, each "key.path=value" with a YAML
/// value. Throws InputError(kUsage): an unknown key with file, line, column and the nearest known
/// key; a value of another type or out of range with what is allowed; a required key that is
/// missing; settings that contradict each other or would have no effect (scale without
/// from: uniform, say). An override's place is "key.path=value" itself.
Recipe read_recipe(const std::string& path, std::span<const std::string> overrides);

/// The recipes of a search's candidates, each as a run of its own would have it: the lists of
/// `search` one inside the other, learning rates outermost, seeds innermost. Without a search the
/// recipe itself.
std::vector<Recipe> candidates_of(const Recipe& recipe);

/// The recipe as YAML text that read_recipe reads back as the same recipe, every key written out
/// but absent ones.
std::string recipe_yaml(const Recipe& recipe);

/// Every setting as (key path, YAML text of its value; "auto" and "null" included), in the order of
/// docs/RECIPES.md: to compare two recipes key by key.
std::vector<std::pair<std::string, std::string>> recipe_settings(const Recipe& recipe);

}  // namespace prescript
