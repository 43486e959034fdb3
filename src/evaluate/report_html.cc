#include "evaluate/report_html.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "evaluate/report_html_charts.h"
#include "evaluate/report_html_tables.h"
#include "report/page.h"

namespace prescript {
namespace {

constexpr size_t kMostExamples = 10;  // won, and as many lost, of a task and two systems

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string file_name(const std::string& path) {
  const size_t slash = path.find_last_of('/', path.empty() ? 0 : path.size() - 2);
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string counted(int64_t count, const std::string& noun) {
  return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

bool has_rows(const Table& table) {
  return !table.rows.empty();
}

void add_results(const Evaluation& evaluation, Page& page) {
  const EvaluationSettings& settings = evaluation.description.settings;
  page.section("Results");
  page.paragraph(
      "Numbers in brackets, and the bars beside them, are 95 % percentile bootstrap intervals "
      "over the questions (" +
      counted(settings.bootstrap_replicas, "replica") + ", seed " +
      std::to_string(settings.bootstrap_seed) +
      "): how far a number might have come out otherwise with other questions of the same kind.");
  const Table accuracy = accuracy_table(evaluation);
  if (has_rows(accuracy)) {
    page.table(accuracy);
    page.note(
        "Dashed: what guessing gives. Unparsed: generated answers in which the strict parser "
        "found no option; they count as wrong. Ties: questions whose answer was one of several "
        "equal ones, of which the first counts. Scoring: an option is chosen by the "
        "log-likelihood of its letter, of its text, of its text per character, or by what was "
        "generated.");
  }
  const Table long_form = long_form_table(evaluation);
  if (has_rows(long_form)) {
    page.table(long_form);
    page.note(
        "ROUGE-L (F-measure) compares the longest sequence of words that answer and reference "
        "share, in order but not necessarily side by side; must-have coverage is the share of "
        "required statements whose words mostly occur. Neither sees whether an answer is correct.");
  }
}

void add_comparisons(const Evaluation& evaluation, Page& page) {
  if (evaluation.comparisons.empty()) return;
  page.section("Where prompting and adapters help or hurt");
  const auto tested = std::count_if(evaluation.comparisons.begin(),
                                    evaluation.comparisons.end(),
                                    [](const Comparison& c) { return c.mcnemar_p.has_value(); });
  const auto add = [&](bool of_systems) {
    for (const char* metric : {"accuracy", "rouge_l", "must_have_coverage"}) {
      Table table = comparison_table(evaluation, of_systems, metric);
      if (!has_rows(table)) continue;
      static const std::map<std::string, std::string> names = {
          {"accuracy", "accuracy"},
          {"rouge_l", "ROUGE-L"},
          {"must_have_coverage", "must-have coverage"}};
      table.caption += ": " + names.at(metric);
      page.table(table);
    }
  };
  add(true);
  add(false);
  page.note(
      "Paired differences on the same questions, in percentage points: right of zero, the system "
      "or strategy named first is better. Won and lost: questions that only it, or only the "
      "other, answers rightly. p: exact two-sided McNemar test. " +
      counted(tested, "test") + " " + (tested == 1 ? "was" : "were") +
      " made and p is not corrected for their number: one in twenty falls below 0.05 where "
      "nothing differs.");
}

void add_confidence(const Evaluation& evaluation, Page& page) {
  const Table table = confidence_table(evaluation);
  if (!has_rows(table)) return;
  page.section("Deferral and calibration");
  std::vector<LineChart> charts;
  const std::vector<LineChart> calibration = calibration_charts(evaluation);
  for (LineChart& chart : deferral_charts(evaluation)) {
    charts.push_back(std::move(chart));
    charts.push_back(calibration[charts.size() / 2]);
  }
  page.charts(charts);
  page.table(table);
  page.table(threshold_table(evaluation));
  page.note(
      "Area: accuracy averaged over all shares that may be deferred; without use of the "
      "confidence, it is the accuracy. AUROC: how often a right answer is surer than a wrong one; "
      "0.5 is chance. Calibration error (expected, over bins of equal width) and Brier score: "
      "lower is better. A threshold was chosen on these very questions, so its accuracy is "
      "optimistic; far to the right, few answers are left and the curves say little.");
}

void add_work(const Evaluation& evaluation, Page& page) {
  if (evaluation.shared_work.empty()) return;
  page.section("Work saved by sharing");
  page.table(shared_work_table(evaluation));
  page.note(
      "What sequences have in common at their beginning (virtual tokens, instruction, exemplars, "
      "the question for all its options and samples) is computed once; results are those of the "
      "unshared computation up to rounding.");
}

void add_contamination(const Evaluation& evaluation, Page& page) {
  const Table table = contamination_table(evaluation);
  page.section("Contamination");
  if (has_rows(table)) page.table(table);
  page.note(
      std::string(has_rows(table) ? "" : "No set of exemplars was at hand to look through. ") +
      "Compared are the questions with the exemplars that adapters were trained on or that are "
      "shown in the prompt, as far as they are at hand. Whether the base model has seen a "
      "question before is not known.");
}

void add_losses(const Evaluation& evaluation, Page& page) {
  const std::vector<LineChart> charts = loss_charts(evaluation);
  if (charts.empty()) return;
  page.section("Training");
  page.charts(charts);
}

std::string said(const std::string& text) {
  return text.empty() ? "(no answer found)" : text;
}

std::string heading_of(const Example& example) {
  return example.task + ": " + (example.won ? "won" : "lost") + " by " + example.second_system +
         " against " + example.first_system + " (" + strategy_name(example.second_strategy) + ", " +
         scoring_name(example.scoring) + ")";
}

/// Of a task and two systems, the examples of the strategy and scoring that come first.
void add_examples(const Evaluation& evaluation, Page& page) {
  if (evaluation.examples.empty()) return;
  page.section("Questions won and lost");
  std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::string, std::string>>
      shown;
  std::vector<const Example*> kept;
  for (const Example& example : evaluation.examples) {
    const std::pair way(example.second_strategy, example.scoring);
    const auto entry =
        shown.try_emplace({example.task, example.first_system, example.second_system}, way);
    if (entry.first->second == way) kept.push_back(&example);
  }
  for (const auto& [key, way] : shown) {
    const auto& [task, first, second] = key;
    for (const bool won : {true, false}) {
      size_t count = 0;
      for (const Example* example : kept) {
        if (example->won != won || example->task != task || example->first_system != first ||
            example->second_system != second || count == kMostExamples)
          continue;
        if (count++ == 0) page.subsection(heading_of(*example));
        page.texts(example->id,
                   Facts{{"Question", example->question},
                         {"Right", example->gold},
                         {first, said(example->first_said)},
                         {second, said(example->second_said)}});
      }
    }
  }
  page.note("At most " + std::to_string(kMostExamples) +
            " won and as many lost for each task and pair of systems, in the order of the file, "
            "not chosen; of the strategy and scoring that come first. report.json names all of "
            "them.");
}

void add_identity(const Evaluation& evaluation, Page& page) {
  const EvaluationIdentity& identity = evaluation.description.identity;
  const EvaluationSettings& settings = evaluation.description.settings;
  page.section("How it was done");
  page.facts(
      Facts{{"Date", identity.date},
            {"prescript", identity.version},
            {"Base model", identity.base_model},
            {"Its SHA-256", identity.base_hash},
            {"Architecture", identity.architecture},
            {"Computed in", identity.dtype + " on " + identity.device},
            {"Seed", std::to_string(settings.seed)},
            {"Self-consistency", counted(settings.self_consistency_samples, "sample")},
            {"Selective prediction", counted(settings.selective_samples, "sample")},
            {"Temperature of samples", number_text(settings.temperature, NumberStyle::kPlain)},
            {"Most tokens of an answer", count_text(settings.max_answer_tokens)},
            {"with reasoning", count_text(settings.max_reasoning_tokens)},
            {"in long form", count_text(settings.max_long_form_tokens)}});
  page.table(system_table(evaluation));
  page.table(task_table(evaluation));
  page.table(prompt_table(evaluation));
  page.subsection("Recipe");
  page.preformatted(identity.recipe);
}

void add_limits(Page& page) {
  page.section("What this report does not show");
  std::vector<std::string> limits;
  limits.emplace_back(
      "Whether an answer is safe, complete or useful to a patient. A marked letter is one choice "
      "among given options, and scores of long answers compare words; that takes people who rate "
      "answers (prescript rate).");
  limits.emplace_back(
      "How the systems do with other questions than these: another speciality, language, "
      "population or year. Intervals cover the choice of questions of this kind, not that.");
  limits.emplace_back(
      "How much comes from chance in training: every adapter is one run with one seed. Another "
      "seed gives other numbers, which the intervals do not cover.");
  limits.emplace_back(
      "That two systems are equal. A difference whose interval holds zero may be real and too "
      "small for this many questions.");
  limits.emplace_back(
      "Certainty at the ends. A share of 0 % or 100 % has an interval without width, because this "
      "sample shows nothing else.");
  limits.emplace_back(
      "What the base model was trained on. It may have seen these questions with their answers.");
  limits.emplace_back(
      "That confidence means the same elsewhere. Thresholds and calibration hold for questions "
      "like these, under the same prompt.");
  page.list(limits);
}

}  // namespace

std::string report_html(const Evaluation& evaluation) {
  const EvaluationDescription& description = evaluation.description;
  Page page("Evaluation of " + file_name(description.identity.base_model),
            counted(std::ssize(description.systems), "system") + " on " +
                counted(std::ssize(description.tasks), "task") + " · prescript " +
                description.identity.version + " · " + description.identity.date);
  add_results(evaluation, page);
  add_comparisons(evaluation, page);
  add_confidence(evaluation, page);
  add_contamination(evaluation, page);
  add_examples(evaluation, page);
  add_losses(evaluation, page);
  add_work(evaluation, page);
  add_identity(evaluation, page);
  add_limits(page);
  return page.html();
}

}  // namespace prescript
