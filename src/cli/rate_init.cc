// prescript rate init: a study from files of answers, drawn, blinded and shuffled.

#include <memory>

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/hash.h"
#include "cli/adapter_arguments.h"
#include "cli/number_option.h"
#include "cli/rate.h"
#include "cli/terminal.h"
#include "io/quote.h"
#include "rating/answer_file.h"
#include "rating/store.h"
#include "rating/study.h"

namespace prescript {
namespace {

struct Arguments {
  std::string study;
  std::vector<std::string> sources;
  std::vector<std::string> questions;
  std::vector<std::string> adapters;
  std::string axes = "clinician";
  std::optional<int64_t> limit;
  uint64_t seed = 1;
};

void name_adapters(const std::vector<std::string>& values, std::vector<SourceAnswers>& sources) {
  for (const AdapterArgument& argument : read_adapter_arguments(values)) {
    const auto source = std::find_if(sources.begin(), sources.end(), [&](const auto& s) {
      return s.source.name == argument.name;
    });
    if (source == sources.end()) {
      throw InputError(ExitCode::kUsage,
                       "--adapter: no --source is named " + quote(argument.name) +
                           "; write --adapter SOURCE=DIR");
    }
    source->source.adapter_dir = std::filesystem::absolute(argument.dir).lexically_normal();
    source->source.adapter_hash = adapter_hash(argument.dir);
  }
}

int init(const Arguments& arguments) {
  check_unoccupied(arguments.study);
  std::vector<std::vector<AnswerLine>> files;
  for (const std::string& path : arguments.questions) files.push_back(read_answer_lines(path));
  std::vector<SourceAnswers> sources;
  for (const std::string& value : arguments.sources) {
    const NamedValue source = read_named_value("--source", value);
    files.push_back(read_answer_lines(source.value));
    sources.push_back(answers_of(files.back(), source.name, source.value));
  }
  name_adapters(arguments.adapters, sources);
  const auto questions = questions_of(files);
  if (questions.empty()) {
    throw InputError(ExitCode::kData,
                     "no file holds a question; name the file that the answers were made from: "
                     "--questions FILE.jsonl");
  }
  DrawOptions options{.kind = *study_kind(arguments.axes), .seed = arguments.seed, .limit = {}};
  if (arguments.limit) options.limit = static_cast<size_t>(*arguments.limit);
  const StudyPlan plan = draw_study(questions, sources, options);
  create_study(arguments.study, plan);
  const size_t per_question = plan.kind == StudyKind::kRanking ? 1 : plan.sources.size();
  const size_t drawn = plan.tasks.size() / per_question;
  write_message(arguments.study + ": " + counted(plan.tasks.size(), "task") + " of " +
                counted(drawn, "question") + " by " + counted(plan.sources.size(), "source"));
  if (drawn < questions.size()) {
    write_message(counted(questions.size() - drawn, "question") +
                  " left out: beyond --limit, or without an answer of every source");
  }
  return 0;
}

}  // namespace

void add_rate_init(CLI::App& rate, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command =
      rate.add_subcommand("init", "Make a study of answers that raters see blinded");
  command->footer(
      "FILE is JSONL: lines with id and text, as generate --json and evaluate write them, or id,\n"
      "question and answer, as exemplars are. Texts without their question are joined to it by "
      "id.\n"
      "A file with answers of several adapters gives each source those of the adapter of its name\n"
      "(base: without an adapter). Questions that a source does not answer are left out.");
  command->add_option("study", arguments->study, "directory to make; must not exist")
      ->required()
      ->type_name("STUDY");
  command
      ->add_option("--source",
                   arguments->sources,
                   "a source of answers and their file; once for each source")
      ->required()
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  command
      ->add_option("--questions",
                   arguments->questions,
                   "files with the questions, where the answers' have none")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--adapter",
                   arguments->adapters,
                   "the adapter that a source's answers come from, for rate select")
      ->allow_extra_args(false)
      ->type_name("[NAME=]DIR");
  command
      ->add_option(
          "--axes",
          arguments->axes,
          "clinician (12 axes), lay (2 axes) or ranking (the answers to a question side by "
          "side); default clinician")
      ->check(CLI::IsMember({"clinician", "lay", "ranking"}))
      ->type_name("KIND");
  add_number_option(*command,
                    "--limit",
                    arguments->limit,
                    or_absent(whole_number(1, INT32_MAX)),
                    "draw at most N questions; default all")
      ->type_name("N");
  add_number_option(
      *command, "--seed", arguments->seed, any_seed(), "of the draw and of all orders; default 1")
      ->type_name("S");
  command->callback([arguments, &action] { action = [arguments] { return init(*arguments); }; });
}

}  // namespace prescript
