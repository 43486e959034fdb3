#include "evaluate/report_html_tables.h"

#include <algorithm>
#include <map>

#include "report/strip_table.h"

namespace prescript {
namespace {

constexpr size_t kMostIds = 20;  // of questions, in a cell

Cell number_cell(int64_t number) {
  return {.text = count_text(number)};
}

double chance_of(const Evaluation& evaluation, const std::string& name) {
  for (const EvaluatedTask& task : evaluation.description.tasks)
    if (task.name == name) return task.chance;
  return 0;
}

std::string joined(const std::vector<std::string>& items, size_t most) {
  std::string text;
  for (size_t i = 0; i < std::min(items.size(), most); ++i) text += (i == 0 ? "" : ", ") + items[i];
  if (items.size() > most)
    text += " and " + count_text(static_cast<int64_t>(items.size() - most)) + " more";
  return text;
}

/// The beginning of a hash, which tells two files apart.
std::string short_hash(const std::string& hash) {
  constexpr size_t kShown = 16;
  return hash.empty() ? "–" : hash.substr(0, kShown);
}

/// How a condition's confidence came about: "vote share, selective prediction".
std::string confidence_name(const Condition& condition) {
  return condition.selective->confidence + ", " + strategy_name(condition.strategy);
}

}  // namespace

std::string strategy_name(const std::string& strategy) {
  static const std::map<std::string, std::string> names = {
      {"zero_shot", "zero\u2011shot"},
      {"few_shot", "few\u2011shot"},
      {"chain_of_thought", "chain of thought"},
      {"self_consistency", "self\u2011consistency"},
      {"selective_prediction", "selective prediction"}};
  const auto found = names.find(strategy);
  return found == names.end() ? strategy : found->second;
}

std::string scoring_name(const std::string& scoring) {
  static const std::map<std::string, std::string> names = {
      {"letter", "letter"},
      {"text", "option text"},
      {"text_normalized", "option text, per character"},
      {"generation", "generated"}};
  const auto found = names.find(scoring);
  return found == names.end() ? scoring : found->second;
}

Table accuracy_table(const Evaluation& evaluation) {
  IntervalTable table{.caption = "Accuracy",
                      .label_columns = {"Task", "System", "Strategy", "Scoring"},
                      .value_column = "Accuracy",
                      .style = NumberStyle::kPercent,
                      .detail_columns = {{"Questions", ColumnKind::kNumber},
                                         {"Unparsed", ColumnKind::kNumber},
                                         {"Ties", ColumnKind::kNumber}}};
  for (const Condition& condition : evaluation.conditions) {
    if (!condition.accuracy) continue;
    table.rows.push_back({.labels = {condition.task,
                                     condition.system,
                                     strategy_name(condition.strategy),
                                     scoring_name(condition.scoring)},
                          .estimate = condition.accuracy,
                          .reference = chance_of(evaluation, condition.task),
                          .details = {number_cell(condition.num_questions),
                                      number_cell(condition.unparsed),
                                      number_cell(condition.ties)}});
  }
  return interval_table(table);
}

Table long_form_table(const Evaluation& evaluation) {
  Table table{.caption = "Long answers",
              .columns = {{"Task"},
                          {"System"},
                          {"Strategy"},
                          {"ROUGE-L", ColumnKind::kNumber},
                          {"with reference", ColumnKind::kNumber},
                          {"Must-have coverage", ColumnKind::kNumber},
                          {"with must-haves", ColumnKind::kNumber},
                          {"Tokens", ColumnKind::kNumber},
                          {"Cut off", ColumnKind::kNumber}}};
  for (const Condition& condition : evaluation.conditions) {
    if (condition.accuracy) continue;
    table.rows.push_back({{condition.task},
                          {condition.system},
                          {strategy_name(condition.strategy)},
                          estimate_cell(condition.rouge_l, NumberStyle::kPlain),
                          number_cell(condition.num_references),
                          estimate_cell(condition.must_have_coverage, NumberStyle::kPercent),
                          number_cell(condition.num_must_have),
                          estimate_cell(condition.num_tokens, NumberStyle::kPlain),
                          number_cell(condition.cut_off)});
  }
  return table;
}

Table comparison_table(const Evaluation& evaluation, bool of_systems, const std::string& metric) {
  const bool of_accuracy = metric == "accuracy";
  IntervalTable table{.caption = of_systems
                                     ? "Systems under the same strategy"
                                     : "Strategies of the same system, against zero\u2011shot",
                      .label_columns = {"Task",
                                        of_systems ? "Systems" : "Strategy",
                                        of_systems ? "Strategy" : "System"},
                      .value_column = "Difference (points)",
                      .style = NumberStyle::kPoints};
  if (of_accuracy) {
    table.label_columns.emplace_back("Scoring");
    table.detail_columns = {{"Won", ColumnKind::kNumber},
                            {"Lost", ColumnKind::kNumber},
                            {"McNemar\u00a0p", ColumnKind::kNumber}};
  }
  for (const Comparison& comparison : evaluation.comparisons) {
    const bool differs_in_system = comparison.first_system != comparison.second_system;
    if (comparison.metric != metric || differs_in_system != of_systems) continue;
    const std::string strategy = strategy_name(comparison.second_strategy);
    IntervalRow row{
        .labels = {comparison.task,
                   of_systems ? comparison.second_system + " against " + comparison.first_system
                              : strategy,
                   of_systems ? strategy : comparison.second_system},
        .estimate = comparison.difference,
        .reference = 0};
    if (of_accuracy) {
      row.labels.push_back(scoring_name(comparison.scoring));
      row.details = {number_cell(comparison.only_second),
                     number_cell(comparison.only_first),
                     {.text = comparison.mcnemar_p ? p_value_text(*comparison.mcnemar_p) : "–"}};
    }
    table.rows.push_back(std::move(row));
  }
  return interval_table(table);
}

Table confidence_table(const Evaluation& evaluation) {
  Table table{.caption = "Confidence",
              .columns = {{"Task"},
                          {"System"},
                          {"Confidence"},
                          {"Area under deferral curve", ColumnKind::kNumber},
                          {"AUROC", ColumnKind::kNumber},
                          {"Calibration error", ColumnKind::kNumber},
                          {"Brier score", ColumnKind::kNumber}}};
  for (const Condition& condition : evaluation.conditions) {
    if (!condition.selective) continue;
    const Selective& selective = *condition.selective;
    table.rows.push_back({{condition.task},
                          {condition.system},
                          {confidence_name(condition)},
                          estimate_cell(selective.area, NumberStyle::kPlain),
                          estimate_cell(selective.auroc, NumberStyle::kPlain),
                          estimate_cell(selective.calibration_error, NumberStyle::kPlain),
                          estimate_cell(selective.brier, NumberStyle::kPlain)});
  }
  return table;
}

Table threshold_table(const Evaluation& evaluation) {
  Table table{.caption = "Least deferral for a wanted accuracy",
              .columns = {{"Task"},
                          {"System"},
                          {"Confidence"},
                          {"Wanted", ColumnKind::kNumber},
                          {"Reached"},
                          {"Answers from", ColumnKind::kNumber},
                          {"Deferred", ColumnKind::kNumber},
                          {"Accuracy of the others", ColumnKind::kNumber}}};
  for (const Condition& condition : evaluation.conditions) {
    if (!condition.selective || !condition.selective->threshold) continue;
    const DeferralThreshold& threshold = *condition.selective->threshold;
    table.rows.push_back({{condition.task},
                          {condition.system},
                          {confidence_name(condition)},
                          {number_text(threshold.target_accuracy, NumberStyle::kPercent)},
                          {threshold.reached ? "yes" : "no: the best"},
                          {number_text(threshold.vote_share, NumberStyle::kPercent)},
                          {number_text(threshold.deferral_rate, NumberStyle::kPercent)},
                          estimate_cell(threshold.accuracy, NumberStyle::kPercent)});
  }
  return table;
}

Table shared_work_table(const Evaluation& evaluation) {
  Table table{.caption = "Rows of tokens that went through the model",
              .columns = {{"Task"},
                          {"Computation"},
                          {"Computed", ColumnKind::kNumber},
                          {"Without sharing", ColumnKind::kNumber},
                          {"Saved", ColumnKind::kNumber}}};
  for (const SharedWork& work : evaluation.shared_work) {
    const double saved = work.rows_unshared == 0 ? 0
                                                 : 1 - static_cast<double>(work.rows_computed) /
                                                           static_cast<double>(work.rows_unshared);
    std::string what = work.what;
    std::replace(what.begin(), what.end(), '_', ' ');
    table.rows.push_back({{work.task},
                          {what},
                          number_cell(work.rows_computed),
                          number_cell(work.rows_unshared),
                          {number_text(saved, NumberStyle::kPercent)}});
  }
  return table;
}

Table contamination_table(const Evaluation& evaluation) {
  Table table{.caption = "Questions that also occur among exemplars",
              .columns = {{"Task"},
                          {"Exemplars"},
                          {"Number", ColumnKind::kNumber},
                          {"Questions found", ColumnKind::kNumber},
                          {"Their ids"}}};
  for (const EvaluatedTask& task : evaluation.description.tasks)
    for (const Contamination& contamination : task.contamination)
      table.rows.push_back({{task.name},
                            {contamination.exemplars},
                            number_cell(contamination.num_exemplars),
                            number_cell(std::ssize(contamination.ids)),
                            {joined(contamination.ids, kMostIds)}});
  return table;
}

Table system_table(const Evaluation& evaluation) {
  Table table{.caption = "Systems",
              .columns = {{"System"},
                          {"Adapter"},
                          {"SHA-256"},
                          {"Virtual tokens", ColumnKind::kNumber},
                          {"Its exemplars were checked"}}};
  for (const EvaluatedSystem& system : evaluation.description.systems) {
    const bool adapted = !system.adapter.empty();
    table.rows.push_back({{system.name},
                          {adapted ? system.adapter : "–"},
                          {short_hash(system.hash)},
                          number_cell(system.num_virtual_tokens),
                          {!adapted                 ? "–"
                           : system.exemplars_known ? "yes"
                                                    : "no: not at hand"}});
  }
  return table;
}

Table task_table(const Evaluation& evaluation) {
  Table table{.caption = "Tasks",
              .columns = {{"Task"},
                          {"Questions"},
                          {"SHA-256"},
                          {"Asked", ColumnKind::kNumber},
                          {"In the file", ColumnKind::kNumber},
                          {"Guessing", ColumnKind::kNumber}}};
  for (const EvaluatedTask& task : evaluation.description.tasks) {
    const bool marked = task.kind == TaskKind::kMultipleChoice;
    table.rows.push_back({{task.name},
                          {task.questions},
                          {short_hash(task.sha256)},
                          number_cell(task.num_questions),
                          number_cell(task.num_in_file),
                          {marked ? number_text(task.chance, NumberStyle::kPercent) : "–"}});
  }
  return table;
}

Table prompt_table(const Evaluation& evaluation) {
  Table table{.caption = "Text around the questions, the same for every system",
              .columns = {{"Task"},
                          {"Strategy"},
                          {"Format"},
                          {"Exemplars shown", ColumnKind::kNumber},
                          {"Instruction"},
                          {"Other than in training"}}};
  for (const EvaluatedTask& task : evaluation.description.tasks)
    for (const EvaluatedPrompt& prompt : task.prompts)
      table.rows.push_back({{task.name},
                            {strategy_name(prompt.strategy)},
                            {prompt.format},
                            number_cell(prompt.few_shot),
                            {prompt.instruction.value_or("–")},
                            {joined(prompt.trained_otherwise, kMostIds)}});
  return table;
}

}  // namespace prescript
