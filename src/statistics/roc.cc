#include "statistics/roc.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/error.h"

namespace prescript {
namespace {

/// Highest first.
std::vector<double> sorted(std::span<const double> scores) {
  for (const double score : scores) PRESCRIPT_CHECK(!std::isnan(score), "a score is NaN");
  std::vector<double> copy(scores.begin(), scores.end());
  std::sort(copy.begin(), copy.end(), std::greater<>());
  return copy;
}

}  // namespace

std::vector<RocPoint> roc_curve(std::span<const double> positives,
                                std::span<const double> negatives) {
  PRESCRIPT_CHECK(!positives.empty() && !negatives.empty(), "positives or negatives are absent");
  const std::vector<double> hits = sorted(positives);
  const std::vector<double> false_alarms = sorted(negatives);
  std::vector<RocPoint> curve = {{std::numeric_limits<double>::infinity(), 0, 0}};
  size_t p = 0;
  size_t n = 0;
  while (p < hits.size() || n < false_alarms.size()) {
    double threshold = -std::numeric_limits<double>::infinity();
    if (p < hits.size()) threshold = hits[p];
    if (n < false_alarms.size()) threshold = std::max(threshold, false_alarms[n]);
    while (p < hits.size() && hits[p] == threshold) ++p;
    while (n < false_alarms.size() && false_alarms[n] == threshold) ++n;
    curve.push_back({threshold,
                     static_cast<double>(n) / static_cast<double>(false_alarms.size()),
                     static_cast<double>(p) / static_cast<double>(hits.size())});
  }
  return curve;
}

double area_under_roc(std::span<const RocPoint> curve) {
  double area = 0;
  for (size_t i = 1; i < curve.size(); ++i)
    area += (curve[i].false_positive_rate - curve[i - 1].false_positive_rate) *
            (curve[i].true_positive_rate + curve[i - 1].true_positive_rate) / 2;
  return area;
}

double true_positive_rate_at(std::span<const RocPoint> curve, double rate) {
  PRESCRIPT_CHECK(rate >= 0 && rate <= 1, "rate " + std::to_string(rate));
  double best = 0;
  for (const RocPoint& point : curve)
    if (point.false_positive_rate <= rate) best = point.true_positive_rate;
  return best;
}

}  // namespace prescript
