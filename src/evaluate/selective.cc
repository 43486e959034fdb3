#include "evaluate/selective.h"

#include <algorithm>

#include "base/error.h"
#include "statistics/calibration.h"
#include "statistics/deferral.h"
#include "statistics/roc.h"

namespace prescript {
namespace {

constexpr size_t kMaxPoints = 41;
constexpr size_t kCalibrationBins = 10;

class Resampled {
 public:
  Resampled(std::span<const JudgedAnswer> answers, const BootstrapOptions& options)
      : answers_(answers), options_(options) {}

  /// `statistic` takes answers.
  std::optional<Estimate> operator()(const auto& statistic) const {
    std::vector<JudgedAnswer> drawn(answers_.size());
    return bootstrap(
        answers_.size(),
        [&](std::span<const size_t> indices) -> std::optional<double> {
          for (size_t i = 0; i < indices.size(); ++i) drawn[i] = answers_[indices[i]];
          return statistic(std::span<const JudgedAnswer>(drawn));
        },
        options_);
  }

 private:
  std::span<const JudgedAnswer> answers_;
  BootstrapOptions options_;
};

std::optional<double> accuracy_from(std::span<const JudgedAnswer> answers, double confidence) {
  double given = 0;
  double right = 0;
  for (const JudgedAnswer& answer : answers) {
    if (answer.confidence < confidence) continue;
    given += 1;
    right += answer.correct ? 1 : 0;
  }
  if (given == 0) return std::nullopt;
  return right / given;
}

std::optional<double> auroc(std::span<const JudgedAnswer> answers) {
  std::vector<double> right;
  std::vector<double> wrong;
  for (const JudgedAnswer& answer : answers) {
    (answer.correct ? right : wrong).push_back(answer.confidence);
  }
  if (right.empty() || wrong.empty()) return std::nullopt;
  return area_under_roc(roc_curve(right, wrong));
}

}  // namespace

Selective selective_of(std::span<const JudgedAnswer> answers,
                       double target_accuracy,
                       const BootstrapOptions& bootstrap) {
  const Resampled resampled(answers, bootstrap);
  const auto accuracy_of = [&](double confidence) {
    return *resampled([confidence](auto drawn) { return accuracy_from(drawn, confidence); });
  };
  const std::vector<CoveragePoint> curve = deferral_curve(answers);
  Selective selective;
  const size_t num_points = std::min(curve.size(), kMaxPoints);
  for (size_t i = 0; i < num_points; ++i) {
    const CoveragePoint& point =
        curve[num_points == 1 ? 0 : i * (curve.size() - 1) / (num_points - 1)];
    selective.curve.push_back({.deferral_rate = point.deferral_rate,
                               .confidence = point.threshold,
                               .accuracy = accuracy_of(point.threshold),
                               .num_answered = static_cast<int64_t>(point.answered)});
  }
  selective.area =
      *resampled([](auto drawn) { return area_under_deferral_curve(deferral_curve(drawn)); });
  selective.bins = calibration(answers, kCalibrationBins).bins;
  selective.calibration_bins = kCalibrationBins;
  selective.calibration_error =
      *resampled([](auto drawn) { return calibration(drawn, kCalibrationBins).expected_error; });
  selective.brier =
      *resampled([](auto drawn) { return calibration(drawn, kCalibrationBins).brier; });
  selective.auroc = resampled([](auto drawn) { return auroc(drawn); });

  // Where nobody voted there is no answer to give: such questions are deferred at any threshold.
  const auto can_be_given =
      std::ranges::find_if(curve, [](const CoveragePoint& point) { return point.threshold > 0; });
  const std::span<const CoveragePoint> points(can_be_given, curve.end());
  if (points.empty()) return selective;
  auto chosen = least_deferral_for_accuracy(points, target_accuracy);
  const bool is_reached = chosen.has_value();
  if (!is_reached) chosen = *std::ranges::max_element(points, {}, &CoveragePoint::accuracy);
  selective.threshold = DeferralThreshold{.target_accuracy = target_accuracy,
                                          .reached = is_reached,
                                          .vote_share = chosen->threshold,
                                          .deferral_rate = chosen->deferral_rate,
                                          .accuracy = accuracy_of(chosen->threshold),
                                          .num_questions = std::ssize(answers)};
  return selective;
}

}  // namespace prescript
