// prescript exemplars check: what is wrong with exemplars, and what to look at before they are
// trained on. No text of theirs is shown.

#include <memory>
#include <optional>
#include <set>

#include <CLI/CLI.hpp>

#include "base/counted.h"
#include "base/error.h"
#include "cli/exemplar_report.h"
#include "cli/exemplars.h"
#include "cli/number_option.h"
#include "exemplars/overlap.h"
#include "infer/base_model_files.h"
#include "infer/splice.h"
#include "text/utf8.h"

namespace prescript {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> against;
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
void measure(const Arguments& arguments,
             const std::vector<CheckedExemplar>& checked,
             ExemplarReport& report) {
  const BaseModelFiles base = open_base_model(*arguments.model);
  const Renderer renderer(
      base.tokenizer, base.chat_template, base.path, hard_prompt(arguments, base));
  const SplicedPrompt prompt{.num_virtual_tokens = arguments.num_virtual_tokens};
  report.context = base.config.max_positions;
  for (const CheckedExemplar& one : checked) {
    try {
      const RenderedExemplar rendered =
          one.exemplar.answer ? renderer.training(one.exemplar) : renderer.generation(one.exemplar);
      const auto tokens = static_cast<int64_t>(splice(rendered, prompt).rows.size());
      report.tokens.push_back(tokens);
      if (tokens > *report.context) report.too_long.push_back({&one.exemplar, tokens});
    } catch (const InputError& error) {
      if (error.code() != ExitCode::kData) throw;
      report.defects.emplace_back(error.what());
    }
  }
}

int check(const Arguments& arguments) {
  ExemplarReport report;
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
  if (arguments.model) measure(arguments, checked, report);
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
      "Defects are lines that no command would read: exit code 3. Repeats, overlap, missing "
      "answers, lengths and\n"
      "possible identifiers are advice: exit code 0, or 3 with --strict. Exemplars are named by "
      "place and id;\n"
      "their text is never shown. docs/EXEMPLARS.md states the rules.");
  command->add_option("files", arguments->files, "exemplars")->required()->type_name("FILE.jsonl");
  command
      ->add_option("--against",
                   arguments->against,
                   "a set that answers will be evaluated on: which of its questions also occur "
                   "among the exemplars; may be given several times")
      ->allow_extra_args(false)
      ->type_name("FILE.jsonl");
  auto* model =
      command
          ->add_option("--model",
                       arguments->model,
                       "GGUF file or Hugging Face directory: counts tokens against its context")
          ->type_name("MODEL");
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
  command->callback([arguments, &action] { action = [arguments] { return check(*arguments); }; });
}

}  // namespace prescript
