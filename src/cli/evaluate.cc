// prescript evaluate: tasks answered by the base model and adapters, marked, and reported.

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "adapter/adapter_files.h"
#include "adapter/deferral.h"
#include "base/counted.h"
#include "cli/commands.h"
#include "cli/evaluation_checks.h"
#include "cli/evaluation_run.h"
#include "cli/facts.h"
#include "cli/output_kind.h"
#include "cli/recipe_arguments.h"
#include "cli/terminal.h"
#include "evaluate/evaluation_directory.h"
#include "evaluate/judge.h"
#include "evaluate/report_html.h"
#include "evaluate/report_json.h"
#include "evaluate/summarize.h"
#include "infer/splice.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  RecipeArguments run;
  std::string rescore;
  bool resume = false;
  bool overwrite = false;
};

std::string number(double value) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << value;
  return text.str();
}

std::string interval(const Estimate& estimate) {
  return number(estimate.value) + " [" + number(estimate.low) + ", " + number(estimate.high) + "]";
}

/// One line a condition: accuracy, or the scores of long answers.
std::string row_of(const Condition& condition) {
  std::ostringstream text;
  text << std::left << std::setw(16) << printable(condition.task) << std::setw(14)
       << printable(condition.system) << std::setw(22) << condition.strategy << std::setw(17)
       << condition.scoring << std::right << std::setw(5) << condition.num_questions << "  ";
  if (condition.accuracy) {
    text << interval(*condition.accuracy);
    if (condition.unparsed > 0) text << ", " << condition.unparsed << " unparsed";
    if (condition.ties > 0) text << ", " << counted(condition.ties, "tie");
  } else {
    text << interval(*condition.num_tokens) << " tokens";
    if (condition.rouge_l) text << ", ROUGE-L " << interval(*condition.rouge_l);
    if (condition.must_have_coverage) {
      text << ", must-have " << interval(*condition.must_have_coverage);
    }
  }
  return text.str();
}

void write_table(const Evaluation& evaluation) {
  std::ostringstream head;
  head << std::left << std::setw(16) << "task" << std::setw(14) << "system" << std::setw(22)
       << "strategy" << std::setw(17) << "scoring" << std::right << std::setw(5) << "n"
       << "  accuracy [95 %]";
  write_result(head.str());
  for (const Condition& condition : evaluation.conditions) write_result(row_of(condition));
  for (const SharedWork& work : evaluation.shared_work) {
    write_result("rows of " + printable(work.task) + ", " + work.what + ": " +
                 std::to_string(work.rows_computed) + " computed, " +
                 std::to_string(work.rows_unshared) + " unshared");
  }
}

/// A file of answers for each task and strategy whose answers are long: a line for each question
/// and system, as `prescript rate init` reads it.
void write_answers(const EvaluationFiles& files, const std::string& dir) {
  std::map<std::pair<std::string, std::string>, const Exemplar*> questions;  // by task and id
  for (const AskedQuestion& asked : files.questions) {
    questions[{asked.task, asked.exemplar.id}] = &asked.exemplar;
  }
  std::map<std::string, std::string> texts;
  for (const Record& record : files.records.records) {
    const auto found = questions.find({record.key.task, record.key.id});
    if (found == questions.end() || !found->second->options.empty()) continue;
    const Exemplar& question = *found->second;
    const bool is_base = record.key.system == kBaseName;
    ordered_json line = {{"id", record.key.id},
                         {"adapter", is_base ? ordered_json() : ordered_json(record.key.system)},
                         {"question", question.question}};
    if (question.context) line["context"] = *question.context;
    line["text"] = record.texts.front().text;
    texts[record.key.task + "." + record.key.prompt + ".jsonl"] += json_line(line) + "\n";
  }
  if (texts.empty()) return;
  const std::string folder = dir + "/" + kAnswers;
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  for (const auto& [name, text] : texts) write_file_durably(folder + "/" + name, text);
}

/// Writes the reports from what the directory holds. The same files give the same bytes.
Evaluation report(const EvaluationFiles& files, const std::string& dir) {
  Evaluation evaluation = summarize(files);
  write_file_durably(dir + "/" + kReportJson, report_json(evaluation));
  write_file_durably(dir + "/" + kReportHtml, report_html(evaluation));
  write_answers(files, dir);
  write_table(evaluation);
  return evaluation;
}

/// Stores the thresholds that selective prediction found on the chosen task in the adapters.
void write_thresholds(const EvaluationRun& run, const Evaluation& evaluation) {
  const auto& from = run.recipe.selective_prediction.threshold_from;
  if (!from) return;
  const Task& task = *std::ranges::find(run.tasks, *from, &Task::name);
  for (const AskedSystem& system : run.systems) {
    if (system.adapter == AdapterSet::kBase) continue;
    const auto condition = std::ranges::find_if(evaluation.conditions, [&](const Condition& c) {
      return c.task == task.name && c.system == system.name &&
             c.strategy == name_of(Strategy::kSelectivePrediction);
    });
    if (condition == evaluation.conditions.end()) continue;
    const DeferralThreshold threshold =
        condition->selective->threshold.value_or(DeferralThreshold());
    const std::string& dir = run.recipe.adapters[system.adapter].second;
    if (!threshold.reached) {
      write_warning(dir + ": no threshold is stored: no vote share reaches the accuracy " +
                    number(run.recipe.selective_prediction.target_accuracy) + " on task " +
                    task.name + "; ask for a lower selective_prediction.target_accuracy");
      continue;
    }
    Adapter adapter = run.inputs->adapters()[system.adapter];
    if (!adapter.has_prescript_json) {
      write_warning(dir + ": no threshold is stored: the adapter was not written by prescript");
      continue;
    }
    set_deferral(adapter,
                 {.vote_share = threshold.vote_share,
                  .num_samples = run.recipe.selective_prediction.num_samples,
                  .temperature = run.recipe.self_consistency.temperature,
                  .max_new_tokens = run.recipe.max_new_tokens.reasoning,
                  .hard_prompt = kept_form_of(prompt_of(task, Strategy::kSelectivePrediction)),
                  .target_accuracy = threshold.target_accuracy,
                  .accuracy = threshold.accuracy.value,
                  .deferral_rate = threshold.deferral_rate,
                  .num_questions = threshold.num_questions,
                  .task = task.name,
                  .questions_sha256 = task.sha256});
    publish_adapter(adapter, dir);
    write_message(dir + ": answers from a vote share of " + number(threshold.vote_share) +
                  " on (accuracy " + interval(threshold.accuracy) + " on " +
                  counted(threshold.num_questions, "question") + " of task " + task.name +
                  ", which must not be those of the final test); " +
                  "prescript generate --defer uses it");
  }
}

EvaluationDirectory::Mode mode_of(const Arguments& arguments) {
  if (arguments.resume) return EvaluationDirectory::Mode::kResume;
  if (arguments.overwrite) return EvaluationDirectory::Mode::kOverwrite;
  return EvaluationDirectory::Mode::kNew;
}

/// How far an evaluation is: a sample that is drawn takes longer than an option that is scored.
class AnswerProgress {
 public:
  AnswerProgress(const EvaluationRun& run, const std::set<RecordKey>& done) {
    for (const Task& task : run.tasks) {
      for (const NeededComputation& needed : needed_computations(task)) {
        const int64_t work = work_of(task, needed, ask_options(run, task));
        work_[{task.name, name_of(needed.prompt), needed.computation}] = work;
        total_ += work * std::ssize(task.questions) * std::ssize(run.systems);
      }
    }
    for (const RecordKey& key : done) add(key);
    progress_.emplace("answers", num_answers_of(run), num_done_, share(0));
  }

  void add(const Task& task, std::span<const Record> records) {
    for (const Record& record : records) add(record.key);
    progress_->show(num_done_, task.name, share(0));
  }

  /// `work` of the answers that come next is done.
  void show(const Task& task, const NeededComputation& needed, int64_t work) {
    progress_->show(
        num_done_,
        task.name + ", " + name_of(needed.computation) + " of " + name_of(needed.prompt),
        share(work));
  }

 private:
  void add(const RecordKey& key) {
    ++num_done_;
    work_done_ += work_.at({key.task, key.prompt, key.computation});
  }
  double share(int64_t more) const {
    return static_cast<double>(work_done_ + more) / static_cast<double>(total_);
  }

  std::map<std::tuple<std::string, std::string, Computation>, int64_t> work_;  // of one answer
  int64_t total_ = 0;
  int64_t work_done_ = 0;
  size_t num_done_ = 0;
  std::optional<Progress> progress_;
};

void ask_all(const EvaluationRun& run, EvaluationDirectory& directory) {
  std::set<RecordKey> done;
  for (const Record& record : directory.before().records) done.insert(record.key);
  if (done.size() == num_answers_of(run)) return;

  ComputeOptions compute = run.inputs->compute_options();
  compute.num_threads = static_cast<int>(run.recipe.threads.value_or(0));
  BaseModel model(run.inputs->base(), compute);
  AdapterSet adapters(model.decoder());
  run.inputs->add_adapters_to(adapters);
  AnswerProgress progress(run, done);
  for (const Task& task : run.tasks) {
    ask(
        task,
        model,
        adapters,
        run.systems,
        ask_options(run, task),
        [&](const RecordKey& key) { return done.contains(key); },
        [&](std::span<const Record> records, const WorkRecord& work) {
          // First: of a batch that is cut off some answers count, and the work for all was done.
          std::string lines = line_of(work);
          for (const Record& record : records) lines += line_of(record);
          directory.append(lines);
          progress.add(task, records);
        },
        [&](const NeededComputation& needed, int64_t work) { progress.show(task, needed, work); });
  }
}

/// A report of a part would look like that of the whole, and the questions that were asked first
/// are no sample of all.
void check_finished(const EvaluationFiles& files, const std::string& dir) {
  const Answered so_far = answered(files);
  if (so_far.strange_answers > 0) {
    throw InputError(ExitCode::kData,
                     dir + "/" + kRecords + ": " + counted(so_far.strange_answers, "answer") +
                         " to questions or of systems that this evaluation does not have; the "
                         "files belong to different evaluations");
  }
  if (so_far.answers == so_far.answers_needed) return;
  throw InputError(
      ExitCode::kUsage,
      dir + ": the evaluation is not finished: " + std::to_string(so_far.questions_finished) +
          " of " + counted(so_far.questions, "question") + " (" + std::to_string(so_far.answers) +
          " of " + counted(so_far.answers_needed, "answer") +
          "), so no report is written; prescript evaluate " + dir + "/" + kEvaluationRecipe +
          " --resume goes on with it and then reports");
}

int evaluate(const Arguments& arguments) {
  if (!arguments.rescore.empty()) {
    const EvaluationFiles files = read_evaluation(arguments.rescore);
    check_finished(files, arguments.rescore);
    report(files, arguments.rescore);
    return 0;
  }
  const EvaluationRun run = prepare_evaluation(arguments.run.recipe, arguments.run.overrides);
  check_evaluation(run);
  check_output_kind(run.recipe.output, OutputKind::kEvaluation);
  EvaluationDirectory directory(run.recipe.output, mode_of(arguments), run.description, run.tasks);
  ask_all(run, directory);
  const Evaluation evaluation = report(read_evaluation(directory.path()), directory.path());
  write_thresholds(run, evaluation);
  write_message("wrote " + directory.path() + "/" + kReportHtml + " and " + kReportJson);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "evaluate", "Answer tasks without and with adapters, mark the answers, and report");
  command->footer(
      "Example: prescript evaluate recipes/evaluate.yaml tasks.multiple_choice.limit=10\n"
      "docs/EVALUATION.md explains the recipe. The output directory gets report.json and "
      "report.html, and in\n"
      "records.jsonl every answer, as it is computed: --resume goes on where a run was stopped, "
      "and\n"
      "prescript evaluate --rescore DIR writes the reports again without the model.");
  add_recipe_arguments(*command, arguments->run);
  command->get_option("recipe")->required(false);
  auto* rescore = command->add_option(
      "--rescore", arguments->rescore, "mark the answers in this output directory again");
  rescore->type_name("DIR")->excludes("recipe");
  auto* resume = command->add_flag(
      "--resume", arguments->resume, "go on with the evaluation in the output directory");
  command
      ->add_flag("--overwrite", arguments->overwrite, "drop the evaluation in the output directory")
      ->excludes(resume);
  command->callback([=, &action] {
    if (arguments->run.recipe.empty() && arguments->rescore.empty()) {
      throw CLI::RequiredError("RECIPE, or --rescore DIR,");
    }
    action = [arguments] { return evaluate(*arguments); };
  });
}

}  // namespace prescript
