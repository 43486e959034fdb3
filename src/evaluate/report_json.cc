#include "evaluate/report_json.h"

#include <nlohmann/json.hpp>

#include "evaluate/description_json.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

ordered_json json_of(const Estimate& estimate) {
  return {estimate.value, estimate.low, estimate.high};
}

ordered_json json_of(const DeferralThreshold& threshold) {
  return {{"target_accuracy", threshold.target_accuracy},
          {"reached", threshold.reached},
          {"confidence", threshold.vote_share},
          {"deferral_rate", threshold.deferral_rate},
          {"accuracy", json_of(threshold.accuracy)},
          {"num_questions", threshold.num_questions}};
}

ordered_json json_of(const Selective& selective) {
  ordered_json json = {{"confidence", selective.confidence},
                       {"num_samples", selective.num_samples},
                       {"area", json_of(selective.area)},
                       {"calibration_error", json_of(selective.calibration_error)},
                       {"calibration_bins", selective.calibration_bins},
                       {"brier", json_of(selective.brier)}};
  if (selective.auroc) json["auroc"] = json_of(*selective.auroc);
  if (selective.threshold) json["threshold"] = json_of(*selective.threshold);
  json["bins"] = ordered_json::array();
  for (const CalibrationBin& bin : selective.bins) {
    json["bins"].push_back({{"low", bin.low},
                            {"high", bin.high},
                            {"count", bin.count},
                            {"confidence", bin.confidence},
                            {"accuracy", bin.accuracy}});
  }
  json["curve"] = ordered_json::array();
  for (const DeferralPoint& point : selective.curve) {
    json["curve"].push_back({{"deferral_rate", point.deferral_rate},
                             {"confidence", point.confidence},
                             {"accuracy", json_of(point.accuracy)},
                             {"num_answered", point.num_answered}});
  }
  return json;
}

ordered_json json_of(const Condition& condition) {
  ordered_json json = {{"task", condition.task},
                       {"system", condition.system},
                       {"strategy", condition.strategy},
                       {"scoring", condition.scoring},
                       {"num_questions", condition.num_questions}};
  if (condition.accuracy) {
    json["accuracy"] = json_of(*condition.accuracy);
    json["unparsed"] = condition.unparsed;
    json["ties"] = condition.ties;
  }
  if (condition.num_tokens) {
    json["num_tokens"] = json_of(*condition.num_tokens);
    json["cut_off"] = condition.cut_off;
  }
  if (condition.rouge_l) {
    json["num_references"] = condition.num_references;
    json["rouge_l"] = json_of(*condition.rouge_l);
  }
  if (condition.must_have_coverage) {
    json["num_must_have"] = condition.num_must_have;
    json["must_have_coverage"] = json_of(*condition.must_have_coverage);
  }
  if (condition.selective) json["selective"] = json_of(*condition.selective);
  return json;
}

ordered_json json_of(const Comparison& comparison) {
  ordered_json json = {
      {"task", comparison.task},
      {"scoring", comparison.scoring},
      {"first", {{"system", comparison.first_system}, {"strategy", comparison.first_strategy}}},
      {"second", {{"system", comparison.second_system}, {"strategy", comparison.second_strategy}}},
      {"metric", comparison.metric},
      {"num_questions", comparison.num_questions},
      {"difference", json_of(comparison.difference)}};
  if (comparison.mcnemar_p) {
    json["only_first"] = comparison.only_first;
    json["only_second"] = comparison.only_second;
    json["mcnemar_p"] = *comparison.mcnemar_p;
    json["won"] = comparison.won;
    json["lost"] = comparison.lost;
  }
  return json;
}

}  // namespace

std::string report_json(const Evaluation& evaluation) {
  ordered_json json = {{"format_version", kFormatVersion}};
  json.update(json_of(evaluation.description));
  json["conditions"] = ordered_json::array();
  for (const Condition& condition : evaluation.conditions) {
    json["conditions"].push_back(json_of(condition));
  }
  json["comparisons"] = ordered_json::array();
  for (const Comparison& comparison : evaluation.comparisons) {
    json["comparisons"].push_back(json_of(comparison));
  }
  json["shared_work"] = ordered_json::array();
  for (const SharedWork& work : evaluation.shared_work) {
    json["shared_work"].push_back({{"task", work.task},
                                   {"what", work.what},
                                   {"rows_computed", work.rows_computed},
                                   {"rows_unshared", work.rows_unshared}});
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace prescript
