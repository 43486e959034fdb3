// prescript rate report, select: what people found, and the adapter that they put first.

#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "cli/number_option.h"
#include "cli/rate.h"
#include "cli/terminal.h"
#include "io/quote.h"
#include "rating/ranking.h"
#include "rating/rating_report.h"
#include "rating/store.h"

namespace prescript {
namespace {

struct Arguments {
  std::string study;
  std::string output;
  std::optional<std::string> source;
  BootstrapOptions bootstrap;
};

int report(const Arguments& arguments) {
  Study study(arguments.study);
  check_unoccupied(arguments.output);
  const auto files =
      rating_report(study.plan(), study.axes(), study.ratings(), arguments.bootstrap);
  const std::string filled = unpublished_path(arguments.output);
  std::filesystem::remove_all(filled);
  if (!std::filesystem::create_directory(filled)) {
    throw InputError(ExitCode::kUsage, filled + ": cannot create this directory");
  }
  for (const auto& [name, bytes] : files) write_file_durably(filled + "/" + name, bytes);
  publish_directory(filled, arguments.output);
  write_message(arguments.output + "/report.html");
  return 0;
}

/// The source that is first, or the one that was named.
size_t selected_source(const StudyPlan& plan,
                       const RankingResults& results,
                       const std::optional<std::string>& name) {
  if (name) {
    for (size_t i = 0; i < plan.sources.size(); ++i) {
      if (plan.sources[i].name == *name) return i;
    }
    throw InputError(ExitCode::kUsage,
                     "--source: " + quote(*name) + " is not a source of this study");
  }
  const RankedSource& first = results.sources[0];
  if (results.sources[1].mean_place.value == first.mean_place.value) {
    throw InputError(
        ExitCode::kUsage,
        quote(plan.sources[first.source].name) + " and " +
            quote(plan.sources[results.sources[1].source].name) +
            " share the first place; let more people rank, or name one: --source NAME");
  }
  return first.source;
}

int select(const Arguments& arguments) {
  Study study(arguments.study);
  const StudyPlan& plan = study.plan();
  if (plan.kind != StudyKind::kRanking) {
    throw InputError(ExitCode::kUsage,
                     arguments.study + ": not a ranking; make one with rate init --axes ranking");
  }
  const RankingResults results = ranking_results(plan, study.ratings(), arguments.bootstrap);
  if (results.sources.empty()) {
    throw InputError(ExitCode::kUsage, arguments.study + ": nobody has ranked anything yet");
  }
  check_unoccupied(arguments.output);
  const StudySource& source = plan.sources[selected_source(plan, results, arguments.source)];
  if (!source.adapter_dir) {
    throw InputError(ExitCode::kUsage,
                     "the source " + quote(source.name) +
                         " has no adapter in this study (rate init --adapter NAME=DIR names it)");
  }
  if (adapter_hash(*source.adapter_dir) != source.adapter_hash) {
    throw InputError(ExitCode::kModel,
                     *source.adapter_dir +
                         ": another adapter than the one whose answers were ranked; put that one "
                         "back");
  }
  publish_adapter(read_adapter(*source.adapter_dir), arguments.output);
  write_message(ranking_verdict(plan, results));
  write_message(arguments.output + ": the adapter of " + quote(source.name));
  return 0;
}

}  // namespace

void add_rate_report(CLI::App& rate, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  const auto add_command = [&](const char* name, const char* description) {
    CLI::App* command = rate.add_subcommand(name, description);
    command->add_option("study", arguments->study, "directory that rate init made")
        ->required()
        ->type_name("STUDY");
    command->add_option("--output", arguments->output, "directory to make; must not exist")
        ->required()
        ->type_name("DIR");
    add_number_option(*command,
                      "--seed",
                      arguments->bootstrap.seed,
                      any_seed(),
                      "of the bootstrap intervals; default 1")
        ->type_name("S");
    return command;
  };
  CLI::App* report_command =
      add_command("report", "Write what raters found: a page with figures, and CSV files");
  report_command->footer(
      "The files name the source of every answer: raters who go on should not see them.");
  report_command->callback([=, &action] { action = [=] { return report(*arguments); }; });

  CLI::App* select_command =
      add_command("select", "Copy the adapter whose answers people ranked first");
  select_command->add_option("--source", arguments->source, "this source instead of the first")
      ->type_name("NAME");
  select_command->callback([=, &action] { action = [=] { return select(*arguments); }; });
}

}  // namespace prescript
