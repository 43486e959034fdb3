#pragma once
// Calibration: is an answer given with confidence 0.8 right in 8 of 10 cases?

#include <cstddef>
#include <span>
#include <vector>

#include "statistics/judged_answer.h"

namespace prescript {

/// Answers whose confidence lies in (low, high]; the first bin holds its lower edge too.
struct CalibrationBin {
  double low;
  double high;
  size_t count;
  double confidence;  // mean; 0 in an empty bin
  double accuracy;    // share of right answers; 0 in an empty bin
};

struct Calibration {
  std::vector<CalibrationBin> bins;
  /// Expected calibration error: |accuracy - confidence| of the bins, weighted by their counts.
  double expected_error;
  /// Brier score: the mean of (confidence - [right])². Lower is better; 0.25 for always 1/2.
  double brier;
};

/// Calibration over `num_bins` bins of equal width on [0, 1].
/// Throws   ContractError without answers or bins, or for a confidence outside of [0, 1].
/// Source   Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3; Brier
/// 1950.
Calibration calibration(std::span<const JudgedAnswer> answers, size_t num_bins = 10);

}  // namespace prescript
