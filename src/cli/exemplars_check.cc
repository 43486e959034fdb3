// prescript exemplars check: what is wrong with exemplars, and what to look at before they are
// trained on. No text of theirs is shown.

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include <CLI/CLI.hpp>

#include "base/counted.h"
#include "base/error.h"
#include "cli/exemplar_report.h"
#include "cli/exemplars.h"
#include "cli/number_option.h"
#include "cli/run_plan.h"
#include "exemplars/overlap.h"
#include "infer/base_model_files.h"
#include "infer/splice.h"
#include "recipe/evaluation_recipe.h"
#include "text/utf8.h"

namespace prescript {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> against;
  std::string recipe;
  std::optional<std::string> model;
  std::string format;
  std::optional<std::string> instruction;
  int64_t num_virtual_tokens = 20;
  bool rationale = false;
  bool strict = false;
  bool json = false;
};

/// All exemplars of the files, with their defects put into the report.
std::vector<CheckedExemplar> read_all(const std::vector<std::string>& paths,
                                      ExemplarReport& report) {
  std::vector<CheckedExemplar> all;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    if (!seen.insert(path).second) {
      throw InputError(ExitCode::kUsage, path + ": the file is named twice; name it once");
    }
    CheckedFile file = check_exemplar_file(path);
    report.files.emplace_back(path, file.exemplars.size());
    report.defects.insert(report.defects.end(), file.defects.begin(), file.defects.end());
    std::move(file.exemplars.begin(), file.exemplars.end(), std::back_inserter(all));
  }
  return all;
}

std::vector<Exemplar> exemplars_of(const std::vector<CheckedExemplar>& checked) {
  std::vector<Exemplar> exemplars;
  for (const CheckedExemplar& one : checked) exemplars.push_back(one.exemplar);
  return exemplars;
}

HardPrompt hard_prompt(const Arguments& arguments, const BaseModelFiles& base) {
  HardPrompt prompt;
  if (arguments.format.empty()) {
    prompt.format = base.chat_template ? PromptFormat::kChat : PromptFormat::kPlain;
  } else {
    prompt.format = arguments.format == "chat" ? PromptFormat::kChat : PromptFormat::kPlain;
  }
  if (arguments.instruction && first_invalid_utf8(*arguments.instruction)) {
    throw InputError(ExitCode::kUsage, "--instruction: it is not UTF-8; convert the text");
  }
  prompt.instruction = arguments.instruction;
  prompt.instruction_code = ExitCode::kUsage;
  prompt.rationale = arguments.rationale;
  return prompt;
}

/// Tokens that each exemplar takes with its prompt, as training would count them. What cannot be
/// rendered is a defect.
void measure(const BaseModelFiles& base,
             const HardPrompt& hard_prompt,
             int64_t num_virtual_tokens,
             const std::vector<const Exemplar*>& exemplars,
             ExemplarReport& report) {
  const Renderer renderer(base.tokenizer, base.chat_template, base.path, hard_prompt);
  const SplicedPrompt prompt{.num_virtual_tokens = num_virtual_tokens};
  report.context = base.config.max_positions;
  for (const Exemplar* exemplar : exemplars) {
    try {
      const RenderedExemplar rendered =
          exemplar->answer ? renderer.training(*exemplar) : renderer.generation(*exemplar);
      const auto tokens = static_cast<int64_t>(splice(rendered, prompt).rows.size());
      report.tokens.push_back(tokens);
      if (tokens > *report.context) report.too_long.push_back({exemplar, tokens});
    } catch (const InputError& error) {
      if (error.code() != ExitCode::kData) throw;
      report.defects.emplace_back(error.what());
    }
  }
}

void measure_with_model(const Arguments& arguments,
                        const std::vector<CheckedExemplar>& checked,
                        ExemplarReport& report) {
  const BaseModelFiles base = open_base_model(*arguments.model);
  std::vector<const Exemplar*> exemplars;
  for (const CheckedExemplar& one : checked) exemplars.push_back(&one.exemplar);
  measure(base, hard_prompt(arguments, base), arguments.num_virtual_tokens, exemplars, report);
}

/// As the recipe's training would feed them: few-shot exemplars drawn and left out, those that a
/// review has not accepted left out too.
void measure_with_recipe(const Recipe& recipe,
                         const std::vector<CheckedExemplar>& checked,
                         ExemplarReport& report) {
  const TrainingDataOptions options = training_data_options(recipe);
  std::vector<Exemplar> train;
  std::vector<const Exemplar*> fed;
  for (const CheckedExemplar& one : checked) {
    if (!one.exemplar.answer || !is_accepted(one.exemplar)) continue;
    fed.push_back(&one.exemplar);
    if (one.exemplar.place.starts_with(options.train_path + ":")) train.push_back(one.exemplar);
  }
  HardPrompt prompt = {.format = options.format,
                       .instruction = options.instruction,
                       .few_shot = {},
                       .rationale = options.rationale,
                       .date = options.date};
  if (options.few_shot > 0) {
    prompt.few_shot = draw_few_shot(train, options.few_shot, options.seed, options.train_path);
  }
  std::erase_if(fed, [&](const Exemplar* exemplar) {
    return std::ranges::find(prompt.few_shot, exemplar->place, &Exemplar::place) !=
           prompt.few_shot.end();
  });
  measure(open_base_model(recipe.base_model), prompt, options.num_virtual_tokens, fed, report);
}

/// Appends a path that is not among them.
void add_once(const std::string& path, std::vector<std::string>& paths) {
  if (std::ranges::find(paths, path) == paths.end()) paths.push_back(path);
}

/// Of a training, the files that it learns from; of an evaluation, those of exemplars, against the
/// questions of its tasks.
void take_files(const Recipe& recipe, Arguments& arguments) {
  add_once(recipe.data.train, arguments.files);
  if (recipe.data.validation) add_once(*recipe.data.validation, arguments.files);
}

void take_files(const EvaluationRecipe& recipe, Arguments& arguments) {
  for (const std::string& path : recipe.exemplars.value_or(std::vector<std::string>())) {
    add_once(path, arguments.files);
  }
  for (const TaskRecipe& task : recipe.tasks) add_once(task.questions, arguments.against);
  for (const TaskRecipe& task : recipe.tasks) {
    // Exemplars drawn from a file of questions are none of those that are asked.
    const bool is_asked = std::ranges::count(arguments.against, task.few_shot.from) > 0;
    if (!task.few_shot.from.empty() && !is_asked) add_once(task.few_shot.from, arguments.files);
  }
  if (arguments.files.empty()) {
    throw InputError(ExitCode::kUsage,
                     arguments.recipe +
                         ": it names no exemplars; list under `exemplars` the files that its "
                         "adapters were trained on");
  }
}

int check(Arguments arguments) {
  ExemplarReport report;
  std::optional<Recipe> training;
  if (!arguments.recipe.empty() && is_evaluation_recipe(arguments.recipe)) {
    take_files(read_evaluation_recipe(arguments.recipe, {}), arguments);
  } else if (!arguments.recipe.empty()) {
    training = read_recipe(arguments.recipe, {});
    take_files(*training, arguments);
  }
  const auto checked = read_all(arguments.files, report);
  const auto against = read_all(arguments.against, report);
  report.files.resize(arguments.files.size());
  const auto exemplars = exemplars_of(checked);
  report.checked = &checked;
  const auto resolve =
      [](const std::vector<LikePair>& pairs, const auto& items, const auto& others) {
        std::vector<LikeExemplars> resolved;
        for (const LikePair& pair : pairs) {
          resolved.push_back({&items[pair.item].exemplar,
                              &others[pair.other].exemplar,
                              pair.likeness,
                              pair.similarity});
        }
        return resolved;
      };
  report.repeated_questions = resolve(find_repeats(exemplars), checked, checked);
  report.repeated_answers = resolve(find_repeated_answers(exemplars), checked, checked);
  if (!arguments.against.empty()) {
    report.overlap = resolve(find_overlap(exemplars_of(against), exemplars), against, checked);
  }
  if (arguments.model) measure_with_model(arguments, checked, report);
  if (training) measure_with_recipe(*training, checked, report);
  write_report(report, arguments.json);
  if (!report.defects.empty()) {
    throw InputError(ExitCode::kData,
                     counted(report.defects.size(), "defect") + "; mend the lines that are named");
  }
  if (arguments.strict && report.num_findings() > 0) {
    throw InputError(ExitCode::kData,
                     "--strict: " + counted(report.num_findings(), "finding") +
                         " besides; look at the exemplars that are named");
  }
  return 0;
}

}  // namespace

void add_exemplars_check(CLI::App& exemplars, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = exemplars.add_subcommand(
      "check", "Say what is wrong with exemplars, and what to look at before training on them");
  command->footer(
      "Example: prescript exemplars check train.jsonl validation.jsonl --against test.jsonl "
      "--model M\n"
      "         prescript exemplars check --recipe recipes/demo.yaml\n"
      "Defects are lines that no command would read: exit code 3. Repeats, overlap, missing "
      "answers, lengths and\n"
      "possible identifiers are advice: exit code 0, or 3 with --strict. Exemplars are named by "
      "place and id;\n"
      "their text is never shown. docs/EXEMPLARS.md states the rules.");
  auto* files =
      command->add_option("files", arguments->files, "exemplars")->type_name("FILE.jsonl");
  command
      ->add_option("--against",
                   arguments->against,
                   "a set that answers will be evaluated on: which of its questions also occur "
                   "among the exemplars; may be given several times")
      ->allow_extra_args(false)
      ->type_name("FILE.jsonl");
  auto* recipe =
      command
          ->add_option(
              "--recipe",
              arguments->recipe,
              "in place of files: those that a training recipe learns from, as it would "
              "feed them to its model; or the exemplars of an evaluation's recipe, against "
              "the questions of its tasks")
          ->type_name("RECIPE")
          ->excludes(files);
  auto* model =
      command
          ->add_option("--model",
                       arguments->model,
                       "GGUF file or Hugging Face directory: counts tokens against its context")
          ->type_name("MODEL")
          ->excludes(recipe);
  command
      ->add_option("--format",
                   arguments->format,
                   "chat (the model's template) or plain; default: chat where it has a template")
      ->check(CLI::IsMember({"chat", "plain"}))
      ->needs(model);
  command
      ->add_option("--instruction", arguments->instruction, "text before the question; counted too")
      ->type_name("TEXT")
      ->needs(model);
  add_number_option(*command,
                    "--num-virtual-tokens",
                    arguments->num_virtual_tokens,
                    whole_number(0, 4096),
                    "rows of the soft prompt, counted too. Default: 20")
      ->type_name("P")
      ->needs(model);
  command->add_flag("--rationale", arguments->rationale, "answers begin with their rationale")
      ->needs(model);
  command->add_flag("--strict", arguments->strict, "exit code 3 for advice too");
  command->add_flag("--json", arguments->json, "one JSON object, with every finding");
  command->callback([arguments, &action] {
    if (arguments->files.empty() && arguments->recipe.empty()) {
      throw CLI::RequiredError("FILE.jsonl, or --recipe RECIPE,");
    }
    action = [arguments] { return check(*arguments); };
  });
}

}  // namespace prescript
