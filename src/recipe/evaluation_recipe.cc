#include "recipe/evaluation_recipe.h"

#include <algorithm>
#include <map>

#include "base/durable_file.h"
#include "io/quote.h"
#include "recipe/given_values.h"
#include "recipe/schema.h"
#include "recipe/setting.h"
#include "recipe/yaml_of_settings.h"

namespace prescript {
namespace {

using TopSetting = SettingOf<EvaluationRecipe>;
using TaskSetting = SettingOf<TaskRecipe>;

constexpr int64_t kMany = 1'000'000'000;

const std::string kTasks = "tasks.";
const std::string kAdapters = "adapters.";

ValueKind<std::vector<std::string>> strategies_kind() {
  return list_of(one_of(
      {"zero_shot", "few_shot", "chain_of_thought", "self_consistency", "selective_prediction"}));
}

ValueKind<std::vector<std::string>> scoring_kind() {
  return list_of(one_of({"letter", "text", "generation"}));
}

#define TOP(member, kind) PRESCRIPT_SETTING_OF(EvaluationRecipe, member, kind)
#define OF_TASK(member, kind) PRESCRIPT_SETTING_OF(TaskRecipe, member, kind)

/// Those before the adapters, and those behind the tasks.
const std::vector<TopSetting>& top_settings() {
  static const std::vector<TopSetting> settings = {
      required(TOP(base_model, text("a path"))),
      TOP(dtype, or_absent(one_of({"fp32", "bf16"}))),
      TOP(device, one_of({"cpu", "cuda", "auto"})),
      TOP(weights.format, one_of({"converted", "as_stored"})),
      TOP(threads, or_auto(whole_number(1, 1024))),
      TOP(micro_batch_tokens, or_auto(whole_number(1, kMany))),
      TOP(base, true_or_false()),
      TOP(allow_other_base, true_or_false()),
      TOP(strategies, strategies_kind()),
      TOP(scoring, scoring_kind()),
      TOP(self_consistency.num_samples, whole_number(2, 1000)),
      TOP(self_consistency.temperature, number(0.01, 100)),
      TOP(selective_prediction.num_samples, whole_number(2, 1000)),
      TOP(selective_prediction.target_accuracy, number(0, 1)),
      TOP(selective_prediction.threshold_from, or_absent(text("the name of a task"))),
      TOP(max_new_tokens.answer, whole_number(1, kMany)),
      TOP(max_new_tokens.reasoning, whole_number(1, kMany)),
      TOP(max_new_tokens.long_form, whole_number(1, kMany)),
      TOP(exemplars, or_absent(list_of(text("a path")))),
      TOP(bootstrap.replicas, whole_number(1, 1'000'000)),
      TOP(bootstrap.seed, any_seed()),
      TOP(seed, any_seed()),
      required(TOP(output, text("a path"))),
  };
  return settings;
}

const std::vector<TaskSetting>& task_settings() {
  static const std::vector<TaskSetting> settings = {
      required(OF_TASK(questions, text("a path"))),
      OF_TASK(limit, or_absent(whole_number(1, kMany))),
      OF_TASK(hard_prompt, or_absent(text("the name of an adapter"))),
      OF_TASK(format, or_absent(one_of({"chat", "plain"}))),
      OF_TASK(instruction, or_absent(text_not_blank())),
      OF_TASK(reasoning_instruction, or_absent(text_not_blank())),
      OF_TASK(few_shot.from, text("a path")),
      OF_TASK(few_shot.count, whole_number(1, 1000)),
      OF_TASK(strategies, or_absent(strategies_kind())),
      OF_TASK(scoring, or_absent(scoring_kind())),
  };
  return settings;
}

#undef TOP
#undef OF_TASK

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kUsage, place + ": " + message);
}

/// The names behind `prefix`, in the order in which they came.
std::vector<std::string> names_in(const GivenValues& given, const std::string& prefix) {
  std::map<std::string, size_t> first;
  for (const auto& [path, one] : given) {
    if (!path.starts_with(prefix)) continue;
    const std::string rest = path.substr(prefix.size());
    const auto [found, is_new] = first.try_emplace(rest.substr(0, rest.find('.')), one.order);
    found->second = std::min(found->second, one.order);
  }
  std::vector<std::string> names;
  for (const auto& [name, order] : first) names.push_back(name);
  std::ranges::stable_sort(names, {}, [&](const std::string& name) { return first.at(name); });
  return names;
}

template <typename R>
void read_settings(const std::vector<SettingOf<R>>& settings,
                   const GivenValues& given,
                   const std::string& prefix,
                   const std::string& file,
                   R& recipe) {
  for (const SettingOf<R>& setting : settings) {
    const std::string path = prefix + setting.path;
    const auto one = given.find(path);
    if (one != given.end()) {
      if (!setting.read(one->second.value, recipe)) fail_value(path, one->second, setting.allowed);
    } else if (setting.required) {
      fail(file, path + ": missing; every recipe sets it to " + setting.allowed);
    }
  }
}

/// Refuses what each key allows by itself but not with the others.
class TogetherCheck {
 public:
  TogetherCheck(const EvaluationRecipe& recipe, const GivenValues& given, std::string file)
      : recipe_(recipe), given_(given), file_(std::move(file)) {}

  void run() const {
    if (recipe_.tasks.empty()) fail(file_, "tasks: missing; name at least one with its questions");
    if (!recipe_.base && recipe_.adapters.empty()) {
      fail_at("base", "without the base and without adapters nothing answers; set it to true");
    }
    for (const auto& [name, dir] : recipe_.adapters) {
      if (name == kBaseName) {
        fail_at(kAdapters + name, "the base model is called so in results; name it otherwise");
      }
    }
    for (const TaskRecipe& task : recipe_.tasks) check_task(task);
    const auto& from = recipe_.selective_prediction.threshold_from;
    if (!from) return;
    const auto task = std::ranges::find(recipe_.tasks, *from, &TaskRecipe::name);
    const char* const key = "selective_prediction.threshold_from";
    if (task == recipe_.tasks.end()) fail_at(key, quote(*from) + " is the name of no task");
    const auto& strategies = task->strategies.value_or(recipe_.strategies);
    if (std::ranges::find(strategies, "selective_prediction") == strategies.end()) {
      fail_at(key, "task " + *from + " does not have the strategy selective_prediction; add it");
    }
    if (recipe_.adapters.empty()) fail_at(key, "has no effect without adapters; remove it");
  }

 private:
  [[noreturn]] void fail_at(const std::string& path, const std::string& message) const {
    const auto one = given_.find(path);
    fail(one == given_.end() ? file_ : one->second.place, path + ": " + message);
  }

  void check_task(const TaskRecipe& task) const {
    const std::string prefix = kTasks + task.name + ".";
    if (given_.contains(prefix + "few_shot.count") && task.few_shot.from.empty()) {
      fail_at(prefix + "few_shot.count", "has no effect without few_shot.from; set that");
    }
    const auto& strategies = task.strategies.value_or(recipe_.strategies);
    if (std::ranges::find(strategies, "few_shot") != strategies.end() &&
        task.few_shot.from.empty()) {
      fail_at(prefix + "few_shot.from", "missing; the strategy few_shot shows exemplars of it");
    }
    if (!task.hard_prompt) return;
    if (std::ranges::find(recipe_.adapters, *task.hard_prompt, [](const auto& adapter) {
          return adapter.first;
        }) == recipe_.adapters.end()) {
      fail_at(prefix + "hard_prompt", quote(*task.hard_prompt) + " is the name of no adapter");
    }
    for (const char* key : {"format", "instruction"}) {
      if (given_.contains(prefix + key)) {
        fail_at(prefix + key, "has no effect beside hard_prompt; remove one of them");
      }
    }
  }

  const EvaluationRecipe& recipe_;
  const GivenValues& given_;
  std::string file_;
};

}  // namespace

const std::vector<KnownKey>& evaluation_recipe_keys() {
  static const std::vector<KnownKey> keys = [] {
    std::vector<KnownKey> all;
    for (const TopSetting& setting : top_settings()) {
      all.push_back({setting.path, setting.write(EvaluationRecipe()) == "null"});
    }
    all.push_back({kAdapters + "*"});
    for (const TaskSetting& setting : task_settings()) {
      all.push_back({kTasks + "*." + setting.path, setting.write(TaskRecipe()) == "null"});
    }
    return all;
  }();
  return keys;
}

EvaluationRecipe read_evaluation_recipe(const std::string& path,
                                        std::span<const std::string> overrides) {
  const GivenValues given = read_given_values(
      path, overrides, evaluation_recipe_keys(), {.command = "train", .keys = recipe_keys()});
  EvaluationRecipe recipe;
  read_settings(top_settings(), given, "", path, recipe);
  for (const std::string& name : names_in(given, kAdapters)) {
    const Given& dir = given.at(kAdapters + name);
    const auto value = text("a path").read(dir.value);
    if (!value) fail_value(kAdapters + name, dir, "a path");
    recipe.adapters.emplace_back(name, *value);
  }
  for (const std::string& name : names_in(given, kTasks)) {
    TaskRecipe task;
    task.name = name;
    read_settings(task_settings(), given, kTasks + name + ".", path, task);
    recipe.tasks.push_back(std::move(task));
  }
  TogetherCheck(recipe, given, path).run();
  return recipe;
}

bool is_evaluation_recipe(const std::string& path) {
  const std::string text = read_file(path, YamlLimits().max_bytes, ExitCode::kUsage);
  const YamlValue root = parse_yaml(text, path, ExitCode::kUsage);
  return std::ranges::any_of(root.members, [](const auto& member) {
    return member.first == "tasks" || member.first.starts_with(kTasks);
  });
}

std::vector<std::pair<std::string, std::string>> evaluation_settings(
    const EvaluationRecipe& recipe) {
  std::vector<std::pair<std::string, std::string>> settings;
  const auto add_top = [&](const TopSetting& setting) {
    settings.emplace_back(setting.path, setting.write(recipe));
  };
  for (const TopSetting& setting : top_settings()) add_top(setting);
  for (const auto& [name, dir] : recipe.adapters) {
    settings.emplace_back(kAdapters + name, text("a path").write(dir));
  }
  for (const TaskRecipe& task : recipe.tasks) {
    for (const TaskSetting& setting : task_settings()) {
      const bool has_effect = setting.path != "few_shot.count" || !task.few_shot.from.empty();
      settings.emplace_back(kTasks + task.name + "." + setting.path,
                            has_effect ? setting.write(task) : "null");
    }
  }
  return settings;
}

std::string evaluation_yaml(const EvaluationRecipe& recipe) {
  return yaml_of_settings(evaluation_settings(recipe));
}

std::vector<DocumentedKey> documented_evaluation_keys() {
  std::vector<DocumentedKey> keys;
  for (const TopSetting& setting : top_settings()) {
    keys.push_back({setting.path,
                    setting.allowed,
                    setting.required ? "required" : setting.write(EvaluationRecipe())});
  }
  keys.push_back({"adapters.NAME", "a path", "null"});
  for (const TaskSetting& setting : task_settings()) {
    keys.push_back({"tasks.NAME." + setting.path,
                    setting.allowed,
                    setting.required ? "required" : setting.write(TaskRecipe())});
  }
  return keys;
}

}  // namespace prescript
