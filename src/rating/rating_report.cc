#include "rating/rating_report.h"

#include <array>
#include <charconv>
#include <set>

#include "base/counted.h"
#include "base/error.h"
#include "io/csv.h"
#include "rating/ranking.h"
#include "rating/results.h"
#include "report/page.h"
#include "report/strip_table.h"

namespace prescript {
namespace {

using Cells = std::vector<std::string>;

/// Shortest text that reads back as the same number.
std::string exact(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// The three cells of an estimate; empty where there is none.
void add_estimate(Cells& cells, const std::optional<Estimate>& estimate) {
  for (const double Estimate::*member : {&Estimate::value, &Estimate::low, &Estimate::high}) {
    cells.push_back(estimate ? exact((*estimate).*member) : "");
  }
}

std::string ratings_file(const StudyPlan& plan,
                         const std::vector<Axis>& axes,
                         const std::vector<Rating>& ratings) {
  std::string csv =
      csv_row(Cells{"rater", "task", "question_id", "source", "axis", "option", "submitted_at"});
  for (const Rating& rating : ratings) {
    const StudyTask& task = plan.tasks[rating.task];
    for (size_t i = 0; i < axes.size(); ++i) {
      const size_t answer = plan.kind == StudyKind::kRanking ? i : 0;
      csv += csv_row(Cells{rating.rater,
                           std::to_string(rating.task + 1),
                           task.question_id,
                           plan.sources[task.answers[answer].source].name,
                           plan.kind == StudyKind::kRanking ? "place" : axes[i].key,
                           rating.choices.at(axes[i].key),
                           rating.submitted_at});
    }
  }
  return csv;
}

/// Who rated how much.
std::vector<std::pair<std::string, std::string>> study_facts(const StudyPlan& plan,
                                                             const std::vector<Rating>& ratings) {
  std::map<std::string, size_t> by_rater;
  std::set<std::string> questions;
  for (const Rating& rating : ratings) ++by_rater[rating.rater];
  for (const StudyTask& task : plan.tasks) questions.insert(task.question_id);
  std::string raters;
  for (const auto& [rater, count] : by_rater) {
    raters += (raters.empty() ? "" : ", ") + rater + " (" + std::to_string(count) + ")";
  }
  std::string sources;
  for (const StudySource& source : plan.sources) {
    sources += (sources.empty() ? "" : ", ") + source.name;
  }
  return {{"Sources", sources},
          {"Questions", std::to_string(questions.size())},
          {"Tasks", std::to_string(plan.tasks.size())},
          {"Ratings", std::to_string(ratings.size())},
          {"Raters, and tasks that each has rated", raters},
          {"Seed of the study", std::to_string(plan.seed)}};
}

std::string how_intervals_are_made(const BootstrapOptions& options) {
  return "Intervals hold 95 % of " + std::to_string(options.replicas) +
         " bootstrap replicas in which questions are resampled with all their ratings (percentile "
         "method, seed " +
         std::to_string(options.seed) +
         "). They say how much the numbers depend on the questions that were drawn, not how the "
         "same raters would judge answers of another kind.";
}

const char* const kAgreementNote =
    "Krippendorff's alpha: 1 is perfect agreement, 0 what chance would give. It is computed from "
    "tasks that two people or more have rated. Where nearly all ratings are alike, alpha can be "
    "low "
    "although raters rarely differ: read it beside the shares.";

void add_shares(Page& page,
                const StudyPlan& plan,
                const std::vector<Axis>& axes,
                const RatingResults& results) {
  page.section("Shares of the options");
  for (size_t a = 0; a < axes.size(); ++a) {
    ShareTable table{.caption = axes[a].title + ": " + axes[a].question,
                     .label_columns = {"Source", "Ratings"},
                     .options = {}};
    for (const AxisOption& option : axes[a].options) table.options.push_back(option.label);
    for (const AxisShares& shares : results.shares) {
      if (shares.axis != a) continue;
      ShareRow row{.labels = {plan.sources[shares.source].name, std::to_string(shares.num_ratings)},
                   .shares = {shares.shares.begin(), shares.shares.end()}};
      row.shares.resize(axes[a].options.size());
      table.rows.push_back(std::move(row));
    }
    page.table(share_table(table));
  }
}

void add_comparisons(Page& page,
                     const StudyPlan& plan,
                     const std::vector<Axis>& axes,
                     const RatingResults& results) {
  if (results.comparisons.empty()) return;
  page.section("Sources compared in pairs");
  page.note(
      "The difference between two sources in the share of the favourable option, on the questions "
      "that were rated for both. An interval that crosses the dashed line leaves open which source "
      "is better. Many axes are compared: one interval in twenty misses by chance.");
  IntervalTable table{.caption =
                          "Difference in the share of the favourable option, first source "
                          "less second, in percentage points",
                      .label_columns = {"Axis", "Favourable option", "First", "Second"},
                      .value_column = "Difference",
                      .style = NumberStyle::kPoints,
                      .detail_columns = {{.name = "Questions", .kind = ColumnKind::kNumber}}};
  for (const AxisComparison& comparison : results.comparisons) {
    const Axis& axis = axes[comparison.axis];
    table.rows.push_back({.labels = {axis.title,
                                     axis.options[axis.favourable].label,
                                     plan.sources[comparison.first].name,
                                     plan.sources[comparison.second].name},
                          .estimate = comparison.difference,
                          .reference = 0,
                          .details = {{.text = std::to_string(comparison.num_questions)}}});
  }
  page.table(interval_table(table));
}

void add_agreement(Page& page, const std::vector<Axis>& axes, const RatingResults& results) {
  page.section("Agreement of raters");
  page.note(kAgreementNote);
  IntervalTable table{.caption = "Krippendorff's alpha by axis",
                      .label_columns = {"Axis", "Scale"},
                      .value_column = "Alpha",
                      .style = NumberStyle::kPlain,
                      .detail_columns = {{.name = "Tasks", .kind = ColumnKind::kNumber}}};
  for (const AxisAgreement& agreement : results.agreement) {
    const Axis& axis = axes[agreement.axis];
    table.rows.push_back({.labels = {axis.title, axis.is_ordinal ? "ordinal" : "nominal"},
                          .estimate = agreement.alpha,
                          .reference = 0,
                          .details = {{.text = std::to_string(agreement.num_tasks)}}});
  }
  page.table(interval_table(table));
}

std::map<std::string, std::string> axes_report(const StudyPlan& plan,
                                               const std::vector<Axis>& axes,
                                               const std::vector<Rating>& ratings,
                                               const BootstrapOptions& options) {
  const RatingResults results = rating_results(plan, axes, ratings, options);
  Page page("Ratings of answers", "What people found about blinded answers, by axis and source");
  page.section("The study");
  page.facts(study_facts(plan, ratings));
  page.note(how_intervals_are_made(options));
  add_shares(page, plan, axes, results);
  add_comparisons(page, plan, axes, results);
  add_agreement(page, axes, results);

  std::string shares =
      csv_row(Cells{"axis", "source", "option", "num_ratings", "share", "low", "high"});
  for (const AxisShares& of_axis : results.shares) {
    for (size_t option = 0; option < of_axis.shares.size(); ++option) {
      Cells cells = {axes[of_axis.axis].key,
                     plan.sources[of_axis.source].name,
                     axes[of_axis.axis].options[option].key,
                     std::to_string(of_axis.num_ratings)};
      add_estimate(cells, of_axis.shares[option]);
      shares += csv_row(cells);
    }
  }
  std::string comparisons = csv_row(
      Cells{"axis", "option", "first", "second", "num_questions", "difference", "low", "high"});
  for (const AxisComparison& comparison : results.comparisons) {
    const Axis& axis = axes[comparison.axis];
    Cells cells = {axis.key,
                   axis.options[axis.favourable].key,
                   plan.sources[comparison.first].name,
                   plan.sources[comparison.second].name,
                   std::to_string(comparison.num_questions)};
    add_estimate(cells, comparison.difference);
    comparisons += csv_row(cells);
  }
  std::string agreement = csv_row(Cells{"axis", "num_tasks", "alpha", "low", "high"});
  for (const AxisAgreement& of_axis : results.agreement) {
    Cells cells = {axes[of_axis.axis].key, std::to_string(of_axis.num_tasks)};
    add_estimate(cells, of_axis.alpha);
    agreement += csv_row(cells);
  }
  return {{"report.html", page.html()},
          {"shares.csv", shares},
          {"comparisons.csv", comparisons},
          {"agreement.csv", agreement}};
}

void add_places(Page& page, const StudyPlan& plan, const RankingResults& results) {
  page.section("Places");
  page.paragraph(ranking_verdict(plan, results));
  IntervalTable places{.caption = "Mean place of each source; 1 is the best",
                       .label_columns = {"Source"},
                       .value_column = "Mean place",
                       .style = NumberStyle::kPlain,
                       .detail_columns = {{.name = "First places", .kind = ColumnKind::kNumber},
                                          {.name = "Behind the first", .kind = ColumnKind::kNumber},
                                          {.name = "Told from the first"}}};
  for (const RankedSource& source : results.sources) {
    places.rows.push_back(
        {.labels = {plan.sources[source.source].name},
         .estimate = source.mean_place,
         .reference = {},
         .details = {
             estimate_cell(source.first_share, NumberStyle::kPercent),
             source.behind ? estimate_cell(source.behind, NumberStyle::kPlain) : Cell{.text = ""},
             {.text = !source.behind ? "" : (source.ties_with_first ? "no" : "yes")}}});
  }
  page.table(interval_table(places));
}

void add_pairs(Page& page, const StudyPlan& plan, const RankingResults& results) {
  page.section("Sources compared in pairs");
  IntervalTable pairs{.caption =
                          "Share of comparisons that the first source wins; a shared place "
                          "counts half",
                      .label_columns = {"First", "Second"},
                      .value_column = "Share",
                      .style = NumberStyle::kPercent,
                      .detail_columns = {{.name = "Wins", .kind = ColumnKind::kNumber},
                                         {.name = "Shared", .kind = ColumnKind::kNumber},
                                         {.name = "Losses", .kind = ColumnKind::kNumber}}};
  for (const PairwiseRank& pair : results.pairs) {
    pairs.rows.push_back({.labels = {plan.sources[pair.first].name, plan.sources[pair.second].name},
                          .estimate = pair.share,
                          .reference = 0.5,
                          .details = {{.text = std::to_string(pair.wins)},
                                      {.text = std::to_string(pair.ties)},
                                      {.text = std::to_string(pair.losses)}}});
  }
  page.table(interval_table(pairs));
}

std::map<std::string, std::string> ranking_report(const StudyPlan& plan,
                                                  const std::vector<Rating>& ratings,
                                                  const BootstrapOptions& options) {
  const RankingResults results = ranking_results(plan, ratings, options);
  Page page("Ranking of answers", "How people put blinded answers of several sources in order");
  page.section("The study");
  page.facts(study_facts(plan, ratings));
  page.note(
      "A question counts once, with the mean over the people who ranked its answers. Answers "
      "that share a place get the mean of the places that they take up.");
  page.note(how_intervals_are_made(options));
  add_places(page, plan, results);
  add_pairs(page, plan, results);
  page.section("Agreement of raters");
  page.note(kAgreementNote);
  page.table(interval_table(
      {.caption = "Krippendorff's alpha of the places",
       .label_columns = {"Scale"},
       .value_column = "Alpha",
       .style = NumberStyle::kPlain,
       .rows = {{.labels = {"ordinal"}, .estimate = results.alpha, .reference = 0}}}));

  std::string places = csv_row(Cells{"source",
                                     "mean_place",
                                     "low",
                                     "high",
                                     "first_share",
                                     "first_low",
                                     "first_high",
                                     "behind",
                                     "behind_low",
                                     "behind_high",
                                     "ties_with_first"});
  for (const RankedSource& source : results.sources) {
    Cells cells = {plan.sources[source.source].name};
    add_estimate(cells, source.mean_place);
    add_estimate(cells, source.first_share);
    add_estimate(cells, source.behind);
    cells.push_back(source.behind ? (source.ties_with_first ? "yes" : "no") : "");
    places += csv_row(cells);
  }
  std::string pairs =
      csv_row(Cells{"first", "second", "wins", "ties", "losses", "share", "low", "high"});
  for (const PairwiseRank& pair : results.pairs) {
    Cells cells = {plan.sources[pair.first].name,
                   plan.sources[pair.second].name,
                   std::to_string(pair.wins),
                   std::to_string(pair.ties),
                   std::to_string(pair.losses)};
    add_estimate(cells, pair.share);
    pairs += csv_row(cells);
  }
  Cells alpha = {"place"};
  add_estimate(alpha, results.alpha);
  return {{"report.html", page.html()},
          {"places.csv", places},
          {"pairs.csv", pairs},
          {"agreement.csv", csv_row(Cells{"axis", "alpha", "low", "high"}) + csv_row(alpha)}};
}

}  // namespace

std::map<std::string, std::string> rating_report(const StudyPlan& plan,
                                                 const std::vector<Axis>& axes,
                                                 const std::vector<Rating>& ratings,
                                                 const BootstrapOptions& options) {
  if (ratings.empty()) {
    throw InputError(
        ExitCode::kUsage,
        "the study has no rating yet; let people rate (rate serve), or import ratings");
  }
  auto files = plan.kind == StudyKind::kRanking ? ranking_report(plan, ratings, options)
                                                : axes_report(plan, axes, ratings, options);
  files["ratings.csv"] = ratings_file(plan, axes, ratings);
  return files;
}

}  // namespace prescript
