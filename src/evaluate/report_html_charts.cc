#include "evaluate/report_html_charts.h"

#include <algorithm>
#include <functional>

#include "evaluate/report_html_tables.h"

namespace prescript {
namespace {

std::string samples_text(const Selective& selective) {
  if (selective.num_samples == 0) return "the probability of its option";
  return "its share of " + count_text(selective.num_samples) + " votes";
}

/// One chart for each task, strategy and scoring with confidences; `series` draws a condition.
std::vector<LineChart> charts_by_task(
    const Evaluation& evaluation,
    const std::function<LineChart(const Condition&)>& chart_of,
    const std::function<ChartSeries(const Condition&)>& series_of) {
  std::vector<LineChart> charts;
  std::vector<const Condition*> first;  // of each chart
  for (const Condition& condition : evaluation.conditions) {
    if (!condition.selective) continue;
    const auto same = std::find_if(first.begin(), first.end(), [&](const Condition* other) {
      return other->task == condition.task && other->strategy == condition.strategy &&
             other->scoring == condition.scoring;
    });
    if (same == first.end()) {
      first.push_back(&condition);
      charts.push_back(chart_of(condition));
      charts.back().series.push_back(series_of(condition));
    } else {
      charts[static_cast<size_t>(same - first.begin())].series.push_back(series_of(condition));
    }
  }
  return charts;
}

std::string title_of(const Condition& condition) {
  return condition.task + ", " + strategy_name(condition.strategy);
}

ChartSeries loss_series(const std::string& name, const std::vector<LossPoint>& losses) {
  ChartSeries series{.name = name};
  for (const LossPoint& point : losses)
    series.points.push_back({static_cast<double>(point.step), point.loss});
  return series;
}

}  // namespace

std::vector<LineChart> deferral_charts(const Evaluation& evaluation) {
  const auto chart_of = [&](const Condition& condition) {
    LineChart chart{.title = title_of(condition) + ": deferral.",
                    .description =
                        "Accuracy of the answers that are given when those of least confidence are "
                        "deferred first; an answer's confidence is " +
                        samples_text(*condition.selective) + ". Bands: 95 % intervals.",
                    .x = {"questions deferred", NumberStyle::kPercent, 0, 1},
                    .y = {"accuracy of the answers given", NumberStyle::kPercent},
                    .steps = true};
    for (const EvaluatedTask& task : evaluation.description.tasks)
      if (task.name == condition.task) chart.level = task.chance;
    chart.reference_name = "guessing";
    return chart;
  };
  return charts_by_task(evaluation, chart_of, [](const Condition& condition) {
    ChartSeries series{.name = condition.system};
    for (const DeferralPoint& point : condition.selective->curve)
      series.points.push_back(
          {point.deferral_rate, point.accuracy.value, point.accuracy.low, point.accuracy.high});
    return series;
  });
}

std::vector<LineChart> calibration_charts(const Evaluation& evaluation) {
  const auto chart_of = [](const Condition& condition) {
    return LineChart{
        .title = title_of(condition) + ": calibration.",
        .description = "How often answers are right, by their confidence: mean of each of " +
                       count_text(condition.selective->calibration_bins) +
                       " bins that hold an answer. Below the diagonal, answers are "
                       "less often right than they are sure.",
        .x = {"confidence", NumberStyle::kPercent, 0, 1},
        .y = {"accuracy", NumberStyle::kPercent, 0, 1},
        .diagonal = true,
        .reference_name = "perfect calibration"};
  };
  return charts_by_task(evaluation, chart_of, [](const Condition& condition) {
    ChartSeries series{.name = condition.system};
    for (const CalibrationBin& bin : condition.selective->bins)
      if (bin.count > 0) series.points.push_back({bin.confidence, bin.accuracy});
    return series;
  });
}

std::vector<LineChart> loss_charts(const Evaluation& evaluation) {
  std::vector<LineChart> charts;
  for (const EvaluatedSystem& system : evaluation.description.systems) {
    if (system.training_loss.empty() && system.validation_loss.empty()) continue;
    LineChart chart{.title = system.name + ": loss.",
                    .description = "Of the run that trained it, in nats a target.",
                    .x = {.label = "step"},
                    .y = {.label = "loss"}};
    if (!system.training_loss.empty())
      chart.series.push_back(loss_series("training", system.training_loss));
    if (!system.validation_loss.empty())
      chart.series.push_back(loss_series("validation", system.validation_loss));
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace prescript
