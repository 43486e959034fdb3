#pragma once
// How far a result may be from the exact one (DESIGN section 8). The only place with such numbers.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "support/matrix.h"

namespace prescript::tolerance {

// --- one operation ---

/// float64 against float64 that adds in another order.
inline constexpr double kOperationFloat64 = 1e-12;

/// A derivative in float64 against central differences over 2·10^-5, whose own error is about
/// 10^-10.
inline constexpr double kCentralDifference = 1e-8;

/// float32 against float64: some tens of roundings of 2^-24 along a dot product of a few hundred
/// terms.
inline constexpr double kOperationFloat32 = 4e-6;

/// Where sums are longer (50 000 terms over a vocabulary): at most twice the error of plain
/// LibTorch in float32.
inline constexpr double kTimesPlainFloat32 = 2;

/// bfloat16 against float64: at most twice the error of plain LibTorch in bfloat16, and one
/// rounding of the result to 8 bits, which no implementation can avoid.
inline constexpr double kTimesPlainBFloat16 = 2;
inline constexpr double kBFloat16Floor = 1.0 / 512;

// --- logits of a whole decoder, by row ---

/// float32 or better against transformers in float32.
inline constexpr double kLogitsFloat32 = 1e-4;

// --- a step ---

/// float64 against autograd in float64 on the unshared sequences.
inline constexpr double kStepFloat64 = 1e-10;
/// A log-probability leaves a backend as float32.
inline constexpr double kLogProbFloat64 = 1e-6;
/// float32 against autograd in float64: loss relative, gradient in the norm.
inline constexpr double kLossFloat32 = 1e-5;
inline constexpr double kGradientFloat32 = 1e-4;
/// Between our own schedules, in float32.
inline constexpr double kScheduleLossFloat32 = 1e-6;
inline constexpr double kScheduleGradientFloat32 = 1e-5;

/// The largest error of a row, ‖found − exact‖ over the root mean square of ‖exact‖ of all rows:
/// one wrong row among many is not averaged away, and a row that is small by chance does not count
/// more.
inline double row_error(const Matrix& found, const Matrix& exact) {
  if (found.rows != exact.rows || found.cols != exact.cols) return INFINITY;
  double squares = 0;
  double worst = 0;
  for (int64_t r = 0; r < exact.rows; ++r) {
    double error = 0;
    for (int64_t c = 0; c < exact.cols; ++c) {
      if (!std::isfinite(found.at(r, c))) return INFINITY;
      error += std::pow(found.at(r, c) - exact.at(r, c), 2);
      squares += std::pow(exact.at(r, c), 2);
    }
    worst = std::max(worst, error);
  }
  if (worst == 0) return 0;
  return std::sqrt(worst / (squares / static_cast<double>(exact.rows)));
}

/// ‖found − exact‖ / ‖exact‖.
inline double norm_error(std::span<const double> found, std::span<const double> exact) {
  if (found.size() != exact.size()) return INFINITY;
  double error = 0;
  double squares = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    if (!std::isfinite(found[i])) return INFINITY;
    error += std::pow(found[i] - exact[i], 2);
    squares += std::pow(exact[i], 2);
  }
  return error == 0 ? 0 : std::sqrt(error / squares);
}

}  // namespace prescript::tolerance
