// prescript export: an adapter written for somewhere else.

#include <filesystem>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "adapter/deferral.h"
#include "base/counted.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

struct Arguments {
  std::string adapter;
  std::string to;
  std::string output;
  bool without_few_shot = false;
};

void check_output_is_free(const std::string& path) {
  if (path.empty()) throw InputError(ExitCode::kUsage, "--output is empty; name a directory");
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    throw InputError(ExitCode::kUsage,
                     path + ": something is there already; choose another --output or remove it");
  }
}

void check_peft_can_hold(const Adapter& adapter, const std::string& place) {
  if (adapter.position == PromptPosition::kStart) return;
  throw InputError(ExitCode::kUsage,
                   place +
                       ": PEFT puts virtual tokens before all others, and these were trained at "
                       "another place: under PEFT they would mean something else; use --to "
                       "prescript");
}

/// Those of its hard prompt, and of the one that its deferral was measured behind.
size_t num_few_shot(const Adapter& adapter, const std::string& place) {
  const auto deferral = deferral_of(adapter, place);
  return adapter.hard_prompt.few_shot_json.size() +
         (deferral ? deferral->hard_prompt.few_shot_json.size() : 0);
}

/// Exemplars may be confidential: nobody should send their text away unawares.
void warn_of_few_shot(const Adapter& adapter, const std::string& place) {
  const size_t count = num_few_shot(adapter, place);
  if (count == 0) return;
  write_warning(place + ": the text of " + counted(count, "few-shot exemplar") +
                " leaves with the adapter; --without-few-shot leaves it out");
}

/// The metrics were measured with the exemplars, so the file says that they are gone.
void drop_few_shot(Adapter& adapter, const std::string& place) {
  const size_t count = num_few_shot(adapter, place);
  if (count == 0) return;
  adapter.hard_prompt.few_shot_json.clear();
  // Without its exemplars the threshold would be another adapter's.
  const auto deferral = deferral_of(adapter, place);
  if (deferral && !deferral->hard_prompt.few_shot_json.empty()) {
    clear_deferral(adapter);
    write_warning(place + ": left out the deferral threshold, which was measured with exemplars");
  }
  adapter.provenance["few_shot_left_out"] = std::to_string(count);
  write_warning(place + ": left out " + counted(count, "few-shot exemplar") +
                "; the adapter was trained and measured with them "
                "and may answer worse without");
}

int export_adapter(const Arguments& arguments) {
  check_output_is_free(arguments.output);
  Adapter adapter = read_adapter(arguments.adapter);
  if (arguments.to == "peft") check_peft_can_hold(adapter, arguments.adapter);
  if (arguments.without_few_shot) {
    drop_few_shot(adapter, arguments.adapter);
  } else {
    warn_of_few_shot(adapter, arguments.adapter);
  }
  publish_adapter(adapter, arguments.output);
  return 0;
}

}  // namespace

void add_export(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("export", "Write an adapter for somewhere else");
  command->footer(
      "peft: a directory that PEFT loads (adapter_config.json, adapter_model.safetensors), with\n"
      "prescript.json beside it; for position start only. prescript: any adapter.");
  command->add_option("adapter", arguments->adapter, "directory of the adapter")
      ->required()
      ->type_name("ADAPTER");
  command->add_option("--to", arguments->to, "peft or prescript")
      ->required()
      ->check(CLI::IsMember({"peft", "prescript"}))
      ->type_name("FORMAT");
  command->add_option("--output", arguments->output, "directory to make; must not exist")
      ->required()
      ->type_name("PATH");
  command->add_flag("--without-few-shot",
                    arguments->without_few_shot,
                    "leave the text of few-shot exemplars out");
  command->callback(
      [arguments, &action] { action = [arguments] { return export_adapter(*arguments); }; });
}

}  // namespace prescript
