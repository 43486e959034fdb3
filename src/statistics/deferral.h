#pragma once
// Selective prediction: how accurate are the answers that are given, when the least confident
// questions are deferred to somebody else?

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "statistics/judged_answer.h"

namespace prescript {

/// What happens when every answer with confidence >= `threshold` is given and the others deferred.
struct CoveragePoint {
  double threshold;
  size_t answered;
  size_t correct;  // among those answered
  double deferral_rate;
  double accuracy;  // correct / answered
};

/// One point for each confidence that occurs, from all answered (deferral rate 0) to only the most
/// confident. Answers of equal confidence are given or deferred together: no threshold parts them.
/// Throws ContractError without answers, or for a confidence outside of [0, 1].
std::vector<CoveragePoint> deferral_curve(std::span<const JudgedAnswer> answers);

/// The area under accuracy against deferral rate on [0, 1], as a step curve: who defers at most the
/// share d gets the last point with a rate <= d. Without equal confidences it is 1 - AURC (Geifman,
/// Uziel and El-Yaniv, "Bias-reduced uncertainty estimation", ICLR 2019, equation 4).
double area_under_deferral_curve(std::span<const CoveragePoint> curve);

/// The point that defers least among those with at least this accuracy; nothing when there is none.
/// On the answers that it was chosen on, its accuracy is optimistic.
std::optional<CoveragePoint> least_deferral_for_accuracy(std::span<const CoveragePoint> curve,
                                                         double accuracy);

}  // namespace prescript
