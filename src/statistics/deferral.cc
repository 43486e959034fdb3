#include "statistics/deferral.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace prescript {

std::vector<CoveragePoint> deferral_curve(std::span<const JudgedAnswer> answers) {
  PRESCRIPT_CHECK(!answers.empty(), "the deferral curve of no answers");
  for (const JudgedAnswer& answer : answers)
    PRESCRIPT_CHECK(answer.confidence >= 0 && answer.confidence <= 1,
                    "confidence " + std::to_string(answer.confidence));
  std::vector<JudgedAnswer> sorted(answers.begin(), answers.end());
  std::sort(sorted.begin(), sorted.end(), [](const JudgedAnswer& a, const JudgedAnswer& b) {
    return a.confidence > b.confidence;
  });
  const auto n = static_cast<double>(sorted.size());
  std::vector<CoveragePoint> curve;
  size_t correct = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    correct += sorted[i].correct ? 1 : 0;
    if (i + 1 < sorted.size() && sorted[i + 1].confidence == sorted[i].confidence) continue;
    const size_t answered = i + 1;
    curve.push_back({.threshold = sorted[i].confidence,
                     .answered = answered,
                     .correct = correct,
                     .deferral_rate = static_cast<double>(sorted.size() - answered) / n,
                     .accuracy = static_cast<double>(correct) / static_cast<double>(answered)});
  }
  std::reverse(curve.begin(), curve.end());
  return curve;
}

double area_under_deferral_curve(std::span<const CoveragePoint> curve) {
  PRESCRIPT_CHECK(!curve.empty(), "the area under no curve");
  double area = 0;
  for (size_t i = 0; i < curve.size(); ++i) {
    const double end = i + 1 < curve.size() ? curve[i + 1].deferral_rate : 1;
    area += curve[i].accuracy * (end - curve[i].deferral_rate);
  }
  return area;
}

std::optional<CoveragePoint> least_deferral_for_accuracy(std::span<const CoveragePoint> curve,
                                                         double accuracy) {
  for (const CoveragePoint& point : curve)
    if (point.accuracy >= accuracy) return point;
  return std::nullopt;
}

}  // namespace prescript
