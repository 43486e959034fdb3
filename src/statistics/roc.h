#pragma once
// The receiver operating characteristic: how well does a score tell positives from negatives?

#include <span>
#include <vector>

namespace prescript {

/// What happens when everything that scores >= `threshold` is called positive.
struct RocPoint {
  double threshold;  // infinite at the first point, where nothing is
  double false_positive_rate;
  double true_positive_rate;
};

/// From (0, 0) to (1, 1), one point for each score that occurs, highest first; equal scores make
/// one step. Throws ContractError when there are no positives or no negatives, or one is NaN.
std::vector<RocPoint> roc_curve(std::span<const double> positives,
                                std::span<const double> negatives);

/// The area under the curve: the probability that a positive scores higher than a negative, equal
/// scores counting half (Hanley and McNeil 1982).
double area_under_roc(std::span<const RocPoint> curve);

/// The largest true-positive rate at a false-positive rate of at most `rate`; between points
/// nothing is interpolated, since no threshold is there. With fewer than 1 / rate negatives, none
/// of them may be called positive. Source   Carlini et al., "Membership inference attacks from
/// first principles",
///          2022, section III.
double true_positive_rate_at(std::span<const RocPoint> curve, double rate);

}  // namespace prescript
