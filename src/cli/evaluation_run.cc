#include "cli/evaluation_run.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iomanip>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "cli/terminal.h"
#include "cli/version.h"
#include "infer/splice.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

InferenceArguments inference_arguments(const EvaluationRecipe& recipe) {
  InferenceArguments arguments;
  arguments.model = recipe.base_model;
  for (const auto& [name, dir] : recipe.adapters) arguments.adapters.push_back(name + "=" + dir);
  arguments.dtype = recipe.dtype;
  arguments.device = recipe.device;
  arguments.weights = recipe.weights.format;
  arguments.allow_other_base = recipe.allow_other_base;
  return arguments;
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

/// The strategies that a task of this kind has. Throws where it asks itself for one that is none.
std::vector<Strategy> strategies_of(const TaskRecipe& recipe,
                                    const std::vector<std::string>& defaults,
                                    TaskKind kind) {
  std::vector<Strategy> strategies;
  for (const std::string& name : recipe.strategies.value_or(defaults)) {
    const Strategy strategy = strategy_of(name);
    const bool is_for_both = strategy == Strategy::kZeroShot || strategy == Strategy::kFewShot;
    if (kind == TaskKind::kMultipleChoice || is_for_both) {
      strategies.push_back(strategy);
    } else if (recipe.strategies) {
      throw InputError(ExitCode::kUsage,
                       "tasks." + recipe.name + ".strategies: " + name +
                           " needs options to vote for, and the questions of " + recipe.questions +
                           " have none; use zero_shot or few_shot");
    }
  }
  if (strategies.empty()) strategies.push_back(Strategy::kZeroShot);
  return strategies;
}

HardPrompt task_prompt(const TaskRecipe& recipe, const EvaluationRun& run) {
  HardPrompt prompt;
  if (recipe.hard_prompt) {
    const auto& adapters = run.recipe.adapters;
    const auto found = std::ranges::find(
        adapters, *recipe.hard_prompt, [](const auto& adapter) { return adapter.first; });
    const Adapter& adapter = run.inputs->adapters()[found - adapters.begin()];
    if (!adapter.has_prescript_json) {
      throw InputError(ExitCode::kModel,
                       found->second +
                           ": it does not say what hard prompt it was trained with (it was not "
                           "written by prescript); leave hard_prompt out and set format and "
                           "instruction");
    }
    prompt = hard_prompt_of(adapter.hard_prompt, found->second);
    prompt.rationale = false;
    return prompt;
  }
  const bool has_template = run.inputs->base().chat_template.has_value();
  prompt.format = recipe.format.value_or(has_template ? "chat" : "plain") == "chat"
                      ? PromptFormat::kChat
                      : PromptFormat::kPlain;
  prompt.instruction = recipe.instruction;
  prompt.instruction_code = ExitCode::kUsage;
  return prompt;
}

Task make_task(const TaskRecipe& recipe, const EvaluationRun& run) {
  TaskOptions options = {.name = recipe.name,
                         .questions = recipe.questions,
                         .limit = recipe.limit,
                         .seed = run.recipe.seed};
  if (!recipe.few_shot.from.empty()) {
    options.few_shot_from = recipe.few_shot.from;
    options.few_shot_count = recipe.few_shot.count;
  }
  Task task = read_task(options);
  task.prompt = task_prompt(recipe, run);
  task.reasoning_instruction = recipe.reasoning_instruction;
  task.strategies = strategies_of(recipe, run.recipe.strategies, task.kind);
  const auto& scoring = recipe.scoring.value_or(run.recipe.scoring);
  if (recipe.scoring && task.kind == TaskKind::kLongForm &&
      (contains(scoring, "letter") || contains(scoring, "text"))) {
    throw InputError(ExitCode::kUsage,
                     "tasks." + recipe.name + ".scoring: the questions of " + recipe.questions +
                         " have no options to score; leave it out: long answers are generated");
  }
  task.use_letter = contains(scoring, "letter");
  task.use_text = contains(scoring, "text");
  task.use_generation = contains(scoring, "generation");
  return task;
}

const char* name_of(PromptFormat format) {
  return format == PromptFormat::kChat ? "chat" : "plain";
}

/// Adapters that were trained behind another text than `prompt`.
std::vector<std::string> trained_otherwise(const HardPrompt& prompt, const EvaluationRun& run) {
  std::vector<std::string> names;
  const auto adapters = run.inputs->adapters();
  for (size_t i = 0; i < adapters.size(); ++i) {
    const AdapterHardPrompt& own = adapters[i].hard_prompt;
    AdapterHardPrompt now = kept_form_of(prompt);
    now.date = own.date;  // the template's default where none is set
    const bool is_same = own.format == now.format && own.instruction == now.instruction &&
                         own.few_shot_json == now.few_shot_json && own.rationale == now.rationale;
    if (!adapters[i].has_prescript_json || !is_same) names.push_back(run.recipe.adapters[i].first);
  }
  return names;
}

std::vector<EvaluatedPrompt> prompts_of(const Task& task,
                                        const TaskRecipe& recipe,
                                        const EvaluationRun& run) {
  std::vector<EvaluatedPrompt> prompts;
  for (const Strategy strategy : task.strategies) {
    const HardPrompt prompt = prompt_of(task, strategy);
    prompts.push_back({.strategy = prescript::name_of(strategy),
                       .format = name_of(prompt.format),
                       .instruction = prompt.instruction,
                       .few_shot = std::ssize(prompt.few_shot),
                       .rationale = prompt.rationale,
                       .origin = recipe.hard_prompt.value_or("task"),
                       .trained_otherwise = trained_otherwise(prompt, run)});
  }
  return prompts;
}

double chance_of(const Task& task) {
  if (task.kind == TaskKind::kLongForm) return 0;
  double sum = 0;
  for (const Exemplar& question : task.questions) {
    sum += 1 / static_cast<double>(question.options.size());
  }
  return sum / static_cast<double>(task.questions.size());
}

/// The files of exemplars that the recipe names, read once.
struct KnownExemplars {
  std::string path;
  std::string sha256;
  std::vector<Exemplar> exemplars;
};

std::vector<KnownExemplars> read_known_exemplars(const EvaluationRecipe& recipe) {
  std::vector<KnownExemplars> known;
  for (const std::string& path : recipe.exemplars.value_or(std::vector<std::string>())) {
    known.push_back({path, sha256_file(path, ExitCode::kData), read_exemplars(path, false)});
  }
  return known;
}

std::vector<Contamination> contamination_of(const Task& task,
                                            std::span<const KnownExemplars> known) {
  std::vector<Contamination> found;
  for (const KnownExemplars& file : known) {
    found.push_back({.exemplars = file.path,
                     .num_exemplars = std::ssize(file.exemplars),
                     .ids = ids_that_occur(task.questions, file.exemplars)});
    if (found.back().ids.empty()) continue;
    write_warning("tasks." + task.name + ": " + counted(found.back().ids.size(), "question") +
                  " of " + std::to_string(task.questions.size()) +
                  " also stand among the exemplars of " + file.path +
                  "; results on them say nothing about new questions");
  }
  return found;
}

/// Loss curves of the run that an adapter lies in, if that is where it lies.
void read_loss_curves(const std::string& dir, EvaluatedSystem& system) {
  const fs::path metrics = fs::path(dir).lexically_normal() / ".." / "metrics.jsonl";
  std::error_code error;
  if (!fs::is_regular_file(metrics, error)) return;
  constexpr uint64_t kMaxBytes = 256u << 20;
  const std::string text = read_file(metrics.lexically_normal().string(), kMaxBytes);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string place = metrics.string() + ":" + std::to_string(++number);
    const nlohmann::json parsed =
        parse_json_line(std::string_view(text).substr(begin, end - begin), place, ExitCode::kData);
    begin = end + 1;
    const JsonCursor line(parsed, place, ExitCode::kData);
    const auto candidate = line.find("candidate");
    if (candidate || !line.find("step")) continue;  // a search has many curves
    const int64_t step = line.at("step").integer(0);
    const auto loss = line.find("loss");
    const auto validation_loss = line.find("validation_loss");
    if (loss) system.training_loss.push_back({step, loss->number()});
    if (validation_loss) system.validation_loss.push_back({step, validation_loss->number()});
  }
}

bool are_exemplars_known(const Adapter& adapter, std::span<const KnownExemplars> known) {
  const auto is_known = [&](const char* key) {
    const auto hash = adapter.provenance.find(key);
    return hash == adapter.provenance.end() ||
           std::ranges::find(known, hash->second, &KnownExemplars::sha256) != known.end();
  };
  return adapter.provenance.contains("train_sha256") && is_known("train_sha256") &&
         is_known("validation_sha256");
}

std::vector<EvaluatedSystem> describe_systems(const EvaluationRun& run,
                                              std::span<const KnownExemplars> known) {
  std::vector<EvaluatedSystem> systems;
  for (const AskedSystem& asked : run.systems) {
    EvaluatedSystem system = {.name = asked.name};
    if (asked.adapter != AdapterSet::kBase) {
      const Adapter& adapter = run.inputs->adapters()[asked.adapter];
      system.adapter = run.recipe.adapters[asked.adapter].second;
      system.hash = sha256_hex(std::as_bytes(std::span(adapter.prompt.values_PD)));
      system.num_virtual_tokens = adapter.prompt.num_virtual_tokens;
      system.exemplars_known = are_exemplars_known(adapter, known);
      read_loss_curves(system.adapter, system);
      if (!system.exemplars_known) {
        write_warning("adapters." + asked.name +
                      ": the files that it was trained on are not all among `exemplars`, so the "
                      "questions are not looked for in them; name the very files");
      }
    }
    systems.push_back(std::move(system));
  }
  return systems;
}

/// YYYY-MM-DD in UTC.
std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  ::gmtime_r(&now, &day);
  std::ostringstream text;
  text << std::put_time(&day, "%Y-%m-%d");
  return text.str();
}

EvaluationDescription describe(const EvaluationRun& run) {
  const EvaluationRecipe& recipe = run.recipe;
  const AdapterIdentity base = run.inputs->base().identity();
  const auto known = read_known_exemplars(recipe);
  EvaluationDescription description;
  description.identity = {
      .base_model = recipe.base_model,
      .base_hash = base.base_hash,
      .architecture = base.architecture,
      .dtype = run.inputs->compute_options().dtype == DType::kFloat32 ? "fp32" : "bf16",
      .device = settle_device(recipe.device),
      .version = kVersion,
      .date = today(),
      .recipe = evaluation_yaml(recipe)};
  description.settings = {.seed = recipe.seed,
                          .self_consistency_samples = recipe.self_consistency.num_samples,
                          .selective_samples = recipe.selective_prediction.num_samples,
                          .temperature = recipe.self_consistency.temperature,
                          .target_accuracy = recipe.selective_prediction.target_accuracy,
                          .max_answer_tokens = recipe.max_new_tokens.answer,
                          .max_reasoning_tokens = recipe.max_new_tokens.reasoning,
                          .max_long_form_tokens = recipe.max_new_tokens.long_form,
                          .bootstrap_replicas = recipe.bootstrap.replicas,
                          .bootstrap_seed = recipe.bootstrap.seed};
  description.systems = describe_systems(run, known);
  for (size_t i = 0; i < run.tasks.size(); ++i) {
    const Task& task = run.tasks[i];
    EvaluatedTask described = {.name = task.name,
                               .kind = task.kind,
                               .questions = task.path,
                               .sha256 = task.sha256,
                               .num_in_file = task.num_in_file,
                               .num_questions = std::ssize(task.questions),
                               .seed = recipe.seed,
                               .chance = chance_of(task)};
    for (const Strategy strategy : task.strategies) {
      described.strategies.emplace_back(prescript::name_of(strategy));
    }
    if (task.use_letter) described.scoring.emplace_back("letter");
    if (task.use_text) described.scoring.emplace_back("text");
    if (task.use_generation) described.scoring.emplace_back("generation");
    described.prompts = prompts_of(task, recipe.tasks[i], run);
    described.contamination = contamination_of(task, known);
    description.tasks.push_back(std::move(described));
  }
  return description;
}

}  // namespace

AskOptions ask_options(const EvaluationRun& run, const Task& task) {
  AskOptions options = run.ask;
  options.num_samples = num_samples_of(
      task, run.recipe.self_consistency.num_samples, run.recipe.selective_prediction.num_samples);
  return options;
}

size_t num_answers_of(const EvaluationRun& run, const Task& task) {
  return needed_computations(task).size() * task.questions.size() * run.systems.size();
}

size_t num_answers_of(const EvaluationRun& run) {
  size_t count = 0;
  for (const Task& task : run.tasks) count += num_answers_of(run, task);
  return count;
}

EvaluationRun prepare_evaluation(const std::string& recipe,
                                 const std::vector<std::string>& overrides) {
  EvaluationRun run;
  run.recipe = read_evaluation_recipe(recipe, overrides);
  run.inputs = std::make_unique<InferenceInputs>(inference_arguments(run.recipe));
  if (run.recipe.base) run.systems.push_back({kBaseName, AdapterSet::kBase});
  for (size_t i = 0; i < run.recipe.adapters.size(); ++i) {
    run.systems.push_back({run.recipe.adapters[i].first, static_cast<int32_t>(i)});
  }
  run.ask = {.seed = run.recipe.seed,
             .temperature = run.recipe.self_consistency.temperature,
             .max_answer_tokens = run.recipe.max_new_tokens.answer,
             .max_reasoning_tokens = run.recipe.max_new_tokens.reasoning,
             .max_long_form_tokens = run.recipe.max_new_tokens.long_form};
  if (run.recipe.micro_batch_tokens) run.ask.max_pass_rows = *run.recipe.micro_batch_tokens;
  for (const TaskRecipe& task : run.recipe.tasks) {
    run.tasks.push_back(make_task(task, run));
    check_questions_fit(
        run.tasks.back(), run.inputs->base(), run.systems, run.inputs->adapters(), run.ask);
  }
  run.description = describe(run);
  return run;
}

}  // namespace prescript
