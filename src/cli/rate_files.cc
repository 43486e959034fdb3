// prescript rate form, export, import: a study on paper and as CSV.

#include <map>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/file_error.h"
#include "cli/rate.h"
#include "cli/terminal.h"
#include "io/quote.h"
#include "rating/authoring_store.h"
#include "rating/rater.h"
#include "rating/ratings_csv.h"
#include "rating/store.h"
#include "rating/task_html.h"

namespace prescript {
namespace {

constexpr uint64_t kMaxCsvBytes = uint64_t{256} << 20;

struct Arguments {
  std::string study;
  std::string path;
  std::string rater;
  bool replace = false;
};

void check_output_is_free(const std::string& path) {
  if (path.empty()) throw InputError(ExitCode::kUsage, "--output is empty; name a file");
  if (!is_there(path, ExitCode::kUsage)) return;
  throw InputError(ExitCode::kUsage,
                   path + ": something is there already; choose another --output or remove it");
}

int write_form(const Arguments& arguments) {
  const std::string rater = rater_code(arguments.rater);
  if (rater.empty()) {
    throw InputError(
        ExitCode::kUsage,
        "--rater: " + quote(arguments.rater) + " is not a code; a code is " + kRaterCodeRule);
  }
  const Study study(arguments.study);
  check_output_is_free(arguments.path);
  write_file_durably(arguments.path, paper_html(study, rater));
  return 0;
}

int export_exemplars(const Arguments& arguments) {
  AuthoringStore store(arguments.study);
  check_output_is_free(arguments.path);
  const auto exemplars = store.exemplars();
  write_file_durably(arguments.path, exported_exemplars(exemplars));
  std::map<std::string, int64_t> counts;
  for (const AuthoredExemplar& exemplar : exemplars) ++counts[name_of(exemplar.status())];
  write_message(arguments.path + ": " + std::to_string(counts["accepted"]) + " accepted, " +
                std::to_string(counts["written"]) + " written and not reviewed, " +
                std::to_string(counts["rejected"]) +
                " rejected; left out: " + std::to_string(counts["open"]) + " without an answer");
  return 0;
}

int export_ratings(const Arguments& arguments) {
  if (is_there(arguments.study + "/" + kAuthoringFile, ExitCode::kData)) {
    return export_exemplars(arguments);
  }
  Study study(arguments.study);
  check_output_is_free(arguments.path);
  const auto ratings = study.ratings();
  write_file_durably(arguments.path, ratings_csv(study, ratings));
  write_message(arguments.path + ": " + counted(ratings.size(), "rating"));
  return 0;
}

int import_ratings(const Arguments& arguments) {
  Study study(arguments.study);
  const std::string text = read_file(arguments.path, kMaxCsvBytes);
  const auto ratings = parse_ratings_csv(text, arguments.path, study);
  const auto added = new_ratings(study, ratings, arguments.replace, arguments.path);
  study.submit(added);
  write_message(arguments.path + ": " + counted(added.size(), "rating") + " imported, " +
                std::to_string(ratings.size() - added.size()) + " already there");
  return 0;
}

CLI::App* add_command(CLI::App& rate,
                      Arguments& arguments,
                      const std::string& name,
                      const std::string& description) {
  CLI::App* command = rate.add_subcommand(name, description);
  command->add_option("study", arguments.study, "directory that rate init made")
      ->required()
      ->type_name("STUDY");
  return command;
}

}  // namespace

void add_rate_files(CLI::App& rate, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* form =
      add_command(rate, *arguments, "form", "Write a study as a form to be printed, for one rater");
  form->add_option("--rater", arguments->rater, "the rater's code, which orders the tasks")
      ->required()
      ->type_name("CODE");
  form->add_option("--output", arguments->path, "HTML file to make; print it from a browser")
      ->required()
      ->type_name("FILE");
  form->callback([=, &action] { action = [=] { return write_form(*arguments); }; });

  CLI::App* exported = add_command(
      rate, *arguments, "export", "Write all ratings as CSV, blinded; or exemplars as JSONL");
  exported->add_option("--output", arguments->path, "file to make")->required()->type_name("FILE");
  exported->callback([=, &action] { action = [=] { return export_ratings(*arguments); }; });

  CLI::App* imported =
      add_command(rate, *arguments, "import", "Read ratings from CSV, all of them or none");
  imported->footer(
      "Columns: rater, task (its number), one for each axis with the key of its option, and "
      "perhaps\n"
      "submitted_at, as rate export writes them and rate form names them.");
  imported->add_option("--input", arguments->path, "CSV file")->required()->type_name("FILE");
  imported->add_flag(
      "--replace", arguments->replace, "let the file correct ratings that differ from it");
  imported->callback([=, &action] { action = [=] { return import_ratings(*arguments); }; });
}

}  // namespace prescript
