#include "statistics/calibration.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"

namespace prescript {

Calibration calibration(std::span<const JudgedAnswer> answers, size_t num_bins) {
  PRESCRIPT_CHECK(!answers.empty(), "the calibration of no answers");
  PRESCRIPT_CHECK(num_bins > 0, "no bins");
  const auto bins = static_cast<double>(num_bins);
  Calibration found{.bins = {}, .expected_error = 0, .brier = 0};
  for (size_t b = 0; b < num_bins; ++b)
    found.bins.push_back({.low = static_cast<double>(b) / bins,
                          .high = static_cast<double>(b + 1) / bins,
                          .count = 0,
                          .confidence = 0,
                          .accuracy = 0});
  for (const JudgedAnswer& answer : answers) {
    PRESCRIPT_CHECK(answer.confidence >= 0 && answer.confidence <= 1,
                    "confidence " + std::to_string(answer.confidence));
    // By comparison with the edges: a product with the number of bins may round across one.
    const auto bin = std::lower_bound(
        found.bins.begin(),
        found.bins.end(),
        answer.confidence,
        [](const CalibrationBin& b, double confidence) { return b.high < confidence; });
    const double right = answer.correct ? 1 : 0;
    ++bin->count;
    bin->confidence += answer.confidence;
    bin->accuracy += right;
    found.brier += (answer.confidence - right) * (answer.confidence - right);
  }
  const auto n = static_cast<double>(answers.size());
  found.brier /= n;
  for (CalibrationBin& bin : found.bins) {
    if (bin.count == 0) continue;
    found.expected_error += std::abs(bin.accuracy - bin.confidence) / n;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return found;
}

}  // namespace prescript
