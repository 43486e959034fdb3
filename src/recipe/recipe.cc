#include "recipe/recipe.h"

#include "base/error.h"
#include "recipe/evaluation_recipe.h"
#include "recipe/given_values.h"
#include "recipe/schema.h"

namespace prescript {
namespace {

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kUsage, place + ": " + message);
}

Recipe recipe_of(const GivenValues& given) {
  Recipe recipe;
  for (const auto& [path, one] : given) {
    const Setting& setting = *find_setting(path);
    if (!setting.read(one.value, recipe)) {
      fail_value(path, one, setting.allowed);
    }
  }
  return recipe;
}

/// `fail_at` takes the path of a key and what is wrong with it.
void check_search(const Recipe& recipe, const auto& fail_at) {
  const SearchRecipe& search = recipe.search;
  if (search == SearchRecipe()) return;
  const std::string path = search.learning_rate  ? "search.learning_rate"
                           : search.weight_decay ? "search.weight_decay"
                                                 : "search.seed";
  if (!recipe.data.validation) {
    fail_at(path, "a search chooses by data.validation; set that or remove this");
  }
  constexpr size_t kMaxCandidates = 64;
  size_t count = 1;
  const auto multiply = [&count](const auto& list) { count *= list ? list->size() : 1; };
  multiply(search.learning_rate);
  multiply(search.weight_decay);
  multiply(search.seed);
  if (count > kMaxCandidates) {
    fail_at(path,
            "the lists of search make " + std::to_string(count) + " candidates; at most " +
                std::to_string(kMaxCandidates) + " are trained side by side");
  }
}

/// `fail_at` as above.
void check_init(const SoftPromptRecipe& soft_prompt, const auto& fail_at) {
  const InitRecipe& init = soft_prompt.init;
  if (init.from == "adapter" && init.path.empty()) {
    fail_at("soft_prompt.init.path", "missing; soft_prompt.init.from: adapter needs a path");
  }
  if (init.from != "class_labels") return;
  if (!init.labels) {
    fail_at("soft_prompt.init.labels",
            "missing; soft_prompt.init.from: class_labels needs a list of texts");
  }
  if (std::ssize(*init.labels) > soft_prompt.num_virtual_tokens) {
    fail_at(
        "soft_prompt.init.labels",
        std::to_string(init.labels->size()) + " labels, but soft_prompt.num_virtual_tokens is " +
            std::to_string(soft_prompt.num_virtual_tokens) + "; raise that, or leave labels out");
  }
}

/// `fail_at` as above.
void check_privacy(const Recipe& recipe, const auto& fail_at) {
  const PrivacyRecipe& privacy = recipe.privacy;
  if (privacy == PrivacyRecipe()) return;
  const std::pair<const char*, bool> needed[] = {
      {"privacy.noise", privacy.noise.has_value()},
      {"privacy.clip_norm", privacy.clip_norm.has_value()},
      {"privacy.delta", privacy.delta.has_value()}};
  for (const auto& [path, is_set] : needed) {
    if (!is_set) fail_at(path, "missing; privacy needs clip_norm, noise and delta");
  }
  if (recipe.data.few_shot > 0) {
    fail_at(
        "data.few_shot",
        "the adapter holds the text of few-shot exemplars, which no noise covers; under privacy "
        "set it to 0");
  }
  if (recipe.search != SearchRecipe()) {
    fail_at("privacy.noise",
            "a search trains several soft prompts on the same exemplars, and each spends privacy; "
            "remove search or privacy");
  }
}

/// Refuses what each key allows by itself but not with the others. `file` is the place of what
/// nobody gave.
void check_together(const Recipe& recipe, const GivenValues& given, const std::string& file) {
  const auto fail_at = [&](const std::string& path, const std::string& message) {
    const auto one = given.find(path);
    fail(one == given.end() ? file : one->second.place, path + ": " + message);
  };
  for (const Setting& setting : recipe_schema()) {
    const bool is_given = given.contains(setting.path);
    if (setting.required && !is_given) {
      fail_at(setting.path, "missing; every recipe sets it to " + setting.allowed);
    }
    if (is_given && !has_effect(setting, recipe)) {
      fail_at(setting.path,
              setting.needs_value == "null"
                  ? "has no effect beside " + setting.needs_path + "; remove one of them"
                  : "has no effect without " + setting.needs_path + ": " + setting.needs_value +
                        "; set that or remove this");
    }
  }
  if (recipe.weights.residence == "streamed" && recipe.weights.format == "as_stored") {
    fail_at("weights.format",
            "as_stored has no effect beside weights.residence: streamed, which lays out a layer as "
            "it comes; remove one of them");
  }
  check_init(recipe.soft_prompt, fail_at);
  if (recipe.training.patience && !recipe.data.validation) {
    fail_at("training.patience", "has no effect without data.validation; set that or remove this");
  }
  check_search(recipe, fail_at);
  check_privacy(recipe, fail_at);
  if (recipe.canaries.repetitions && !recipe.canaries.count) {
    fail_at("canaries.repetitions",
            "has no effect without canaries.count; set that or remove this");
  }
  if (recipe.optimizer.warmup_steps > recipe.training.steps) {
    fail_at("optimizer.warmup_steps",
            std::to_string(recipe.optimizer.warmup_steps) + " is more than training.steps, " +
                std::to_string(recipe.training.steps) + "; use at most as many");
  }
}

}  // namespace

Recipe read_recipe(const std::string& path, std::span<const std::string> overrides) {
  const GivenValues given = read_given_values(
      path, overrides, recipe_keys(), {.command = "evaluate", .keys = evaluation_recipe_keys()});
  Recipe recipe = recipe_of(given);
  check_together(recipe, given, path);
  return recipe;
}

}  // namespace prescript
