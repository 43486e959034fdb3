// prescript audit: what an adapter gives away of the exemplars it was trained on.

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "cli/audit_inputs.h"
#include "cli/audit_measures.h"
#include "cli/audit_page.h"
#include "cli/audit_report.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/number_option.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

struct Arguments {
  AuditArguments inputs;
  AuditOptions options;
  std::optional<std::string> output;
  bool show = false;
};

/// Before anything is computed for it.
void check_output(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path parent = fs::absolute(path).parent_path();
  if (!path.empty() && !fs::is_directory(path) && fs::is_directory(parent)) return;
  throw InputError(ExitCode::kUsage,
                   "--output: " + quote(path) + " is not the path of a file that can be written");
}

std::optional<double> metric(const Adapter& adapter, const std::string& name) {
  const auto found = adapter.metrics.find(name);
  return found == adapter.metrics.end() ? std::nullopt : std::optional(found->second);
}

int audit(const Arguments& arguments) {
  if (arguments.output) check_output(*arguments.output);
  InferenceInputs inputs(arguments.inputs.common);
  const Adapter& adapter = inputs.adapters()[0];
  const AuditFiles files = find_audit_files(arguments.inputs, adapter);
  const AuditExemplars exemplars = read_audit_exemplars(files, adapter);
  const AuditOptions& options = arguments.options;
  AuditResult result{.adapter = arguments.inputs.adapter,
                     .members = files.members,
                     .non_members = files.non_members,
                     .members_are_of_training = files.members_are_of_training,
                     .non_members_chose_step = files.non_members_chose_step,
                     .num_few_shot = adapter.hard_prompt.few_shot_json.size(),
                     .epsilon = metric(adapter, "privacy_epsilon"),
                     .delta = metric(adapter, "privacy_delta"),
                     .noise_follows_recipe = adapter.provenance.contains("privacy.seed"),
                     .membership = {},
                     .samples = static_cast<size_t>(options.num_samples),
                     .temperature = options.temperature,
                     .max_new_tokens = static_cast<size_t>(options.max_new_tokens),
                     .seed = options.seed};
  BaseModel model(inputs.base(), inputs.compute_options());
  AdapterSet adapters(model.decoder());
  inputs.add_adapters_to(adapters);
  AuditMeasures measures(inputs, exemplars, model, adapters, options);
  result.membership = measures.membership();
  result.canaries = measures.canaries();
  result.recitations = measures.recitations();
  if (arguments.output) {
    write_file_durably(*arguments.output, audit_page(result, arguments.show));
  }
  if (arguments.inputs.common.json) {
    write_result(json_line(audit_json(result, arguments.show)));
  } else {
    write_audit(result, arguments.show);
  }
  return 0;
}

void add_options(CLI::App& command, Arguments& arguments) {
  InferenceArguments& common = arguments.inputs.common;
  command.add_option("ADAPTER", arguments.inputs.adapter, "the adapter's directory")->required();
  command.add_option("--model", common.model, "its base model: a GGUF file or a HF directory")
      ->required()
      ->type_name("M");
  command
      .add_option(
          "--members",
          arguments.inputs.members,
          "exemplars that it was trained on; default: those of the run that ADAPTER lies in")
      ->type_name("FILE.jsonl");
  command
      .add_option("--non-members",
                  arguments.inputs.non_members,
                  "exemplars of the same source that it was not trained on; default: the run's "
                  "validation set")
      ->type_name("FILE.jsonl");
  command
      .add_option("--canaries",
                  arguments.inputs.canaries,
                  "canaries.jsonl of the run; default: that beside ADAPTER, if any was planted")
      ->type_name("FILE.jsonl");
  AuditOptions& options = arguments.options;
  add_number_option(command,
                    "--questions",
                    options.num_questions,
                    whole_number(0, 1'000'000),
                    "asked of members and of non-members; default 20; 0: none")
      ->type_name("N");
  add_number_option(command,
                    "--samples",
                    options.num_samples,
                    whole_number(0, 1000),
                    "answers to each, beside the greedy one; default 4")
      ->type_name("N");
  add_number_option(
      command, "--temperature", options.temperature, number(0.01, 100), "of the samples; default 1")
      ->type_name("T");
  add_number_option(command,
                    "--max-new-tokens",
                    options.max_new_tokens,
                    whole_number(1, 1'000'000),
                    "of an answer; default 128")
      ->type_name("N");
  add_number_option(command,
                    "--alternatives",
                    options.num_alternatives,
                    whole_number(1, 100'000),
                    "secrets that a canary's is ranked among; default 255")
      ->type_name("N");
  add_number_option(command, "--seed", options.seed, any_seed(), "of all that is drawn; default 1")
      ->type_name("S");
  command.add_option("--output", arguments.output, "write a page with all figures here")
      ->type_name("FILE.html");
  command.add_flag("--show", arguments.show, "show the longest runs: text of exemplars");
  command.add_option("--dtype", common.dtype, "fp32 or bf16; default: as the adapter was trained");
  command.add_option("--device", common.device, "cpu, cuda or auto");
  command.add_flag("--allow-other-base",
                   common.allow_other_base,
                   "take another file of the same architecture and tokenizer");
  command.add_flag("--json", common.json, "one JSON object");
}

}  // namespace

void add_audit(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "audit", "Measure what an adapter gives away of the exemplars it was trained on");
  command->footer(
      "Example: prescript audit checkpoints/demo/adapter --model model.gguf\n"
      "Tries to tell members from non-members by their loss, looks in greedy and sampled answers\n"
      "to exemplars' questions for the longest run of words of an exemplar's answer, and ranks\n"
      "the secrets of canaries. Intervals: 95 %, percentile bootstrap of 1000 replicas.\n"
      "Exemplar text is not printed without --show. docs/EVALUATION.md explains the figures.");
  add_options(*command, *arguments);
  command->callback([arguments, &action] {
    arguments->inputs.common.adapters = {"audited=" + arguments->inputs.adapter};
    action = [arguments] { return audit(*arguments); };
  });
}

}  // namespace prescript
