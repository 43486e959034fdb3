// prescript exemplars import: exemplars from the files of public sets, and a clinic's own tables.

#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/file_error.h"
#include "cli/exemplars.h"
#include "cli/facts.h"
#include "cli/number_option.h"
#include "cli/terminal.h"
#include "exemplars/import.h"
#include "io/quote.h"

namespace prescript {
namespace {

struct Arguments {
  std::string format;
  std::vector<std::string> files;
  std::string output;
  std::vector<std::string> columns;
  std::optional<int64_t> first_option;
  bool keep_unanswered = false;
  bool overwrite = false;
  bool json = false;
};

std::map<std::string, std::string> columns_of(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> columns;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == argument.size()) {
      throw InputError(ExitCode::kUsage,
                       "--column: " + quote(argument) +
                           " is not FIELD=HEADER, as in "
                           "question=Frage");
    }
    if (!columns.try_emplace(argument.substr(0, equals), argument.substr(equals + 1)).second) {
      throw InputError(ExitCode::kUsage,
                       "--column: " + argument.substr(0, equals) + " is given twice");
    }
  }
  return columns;
}

int import(const Arguments& arguments) {
  const ImportOptions options{.keep_unanswered = arguments.keep_unanswered,
                              .columns = columns_of(arguments.columns),
                              .first_option = arguments.first_option};
  if (!arguments.overwrite && is_there(arguments.output, ExitCode::kUsage)) {
    throw InputError(ExitCode::kUsage,
                     arguments.output + ": it exists; choose another name, or --overwrite");
  }
  const std::string format =
      arguments.format == "auto" ? detect_import_format(arguments.files.front()) : arguments.format;
  const ImportedSet set = import_exemplars(format, arguments.files, options);
  write_file_durably(arguments.output, set.jsonl);
  if (arguments.json) {
    write_result(json_line({{"format", format},
                            {"output", arguments.output},
                            {"imported", set.num_imported},
                            {"left_out", set.left_out},
                            {"unused_fields", set.unused_fields}}));
    return 0;
  }
  write_result(printable(arguments.output) + ": " + counted(set.num_imported, "exemplar") +
               " imported from " + format);
  for (const auto& [reason, count] : set.left_out) {
    write_result("  left out: " + counted(count, "record") + " " + reason);
  }
  std::string unused;
  for (const std::string& field : set.unused_fields) unused += (unused.empty() ? "" : ", ") + field;
  if (!unused.empty()) write_result("  fields not imported: " + printable(unused));
  return 0;
}

std::string footer() {
  std::string text =
      "Example: prescript exemplars import medquad MedQuAD/4_MPlus_Health_Topics_QA --output "
      "medquad.jsonl\n"
      "Formats:\n"
      "  auto       by content, where that leaves no doubt\n";
  for (const ImportFormat& format : import_formats()) {
    text += "  " + std::string(format.name) + std::string(11 - format.name.size(), ' ') +
            std::string(format.description) + "\n";
  }
  return text +
         "The output is whole or absent. A defect is named by file, record and field, and then "
         "nothing is written.\n"
         "What a public set may be used for, its licence says; docs/EXEMPLARS.md tells what "
         "becomes of each field.";
}

}  // namespace

void add_exemplars_import(CLI::App& exemplars, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      exemplars.add_subcommand("import", "Make exemplars of a public set's files or of a table");
  command->footer(footer());
  command->add_option("format", arguments->format, "of the files")->required()->type_name("FORMAT");
  command->add_option("files", arguments->files, "what is imported")->required()->type_name("FILE");
  command->add_option("--output", arguments->output, "exemplars, one JSON object a line")
      ->required()
      ->type_name("OUT.jsonl");
  command
      ->add_option("--column",
                   arguments->columns,
                   "csv: the header of the column that holds a field (id, question, answer, "
                   "context, rationale, source, topic, or A, B, ... for options); may be given "
                   "several times. A header that is a field's name needs none")
      ->allow_extra_args(false)
      ->type_name("FIELD=HEADER");
  add_number_option(*command,
                    "--first-option",
                    arguments->first_option,
                    whole_number(0, 1),
                    "medmcqa: the cop of option A, where the files leave it open")
      ->type_name("0|1");
  command->add_flag(
      "--keep-unanswered", arguments->keep_unanswered, "questions without an answer too");
  command->add_flag("--overwrite", arguments->overwrite, "replace the output");
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback([arguments, &action] { action = [arguments] { return import(*arguments); }; });
}

}  // namespace prescript
