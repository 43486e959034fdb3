#include "train/accountant.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace prescript {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// 1.1, 1.2, ..., 10.9, 12, 13, ..., 63.
const std::vector<double>& orders() {
  static const std::vector<double> all = [] {
    std::vector<double> values;
    for (int tenths = 1; tenths < 100; ++tenths) values.push_back(1 + tenths / 10.0);
    for (int order = 12; order < 64; ++order) values.push_back(order);
    return values;
  }();
  return all;
}

/// ln(e^a + e^b).
double log_add(double a, double b) {
  const double larger = std::max(a, b);
  const double smaller = std::min(a, b);
  return smaller == -kInfinity ? larger : larger + std::log1p(std::exp(smaller - larger));
}

/// ln(e^a - e^b) for a >= b.
double log_subtract(double a, double b) {
  if (b == -kInfinity) return a;
  return a + std::log1p(-std::exp(b - a));
}

/// ln erfc(x), also where erfc underflows: there by the first terms of its asymptotic series.
double log_erfc(double x) {
  constexpr double kFar = 25;
  if (x < kFar) return std::log(std::erfc(x));
  const double t = 1 / (2 * x * x);
  const double series = -t * (1 - 3 * t * (1 - 5 * t * (1 - 7 * t)));
  return -x * x - std::log(x * std::sqrt(std::numbers::pi)) + std::log1p(series);
}

/// ln A of a whole order: a binomial sum.
double log_moment_of_whole_order(double q, double sigma, int64_t order) {
  double sum = -kInfinity;
  double log_binomial = 0;  // ln (order choose i)
  for (int64_t i = 0; i <= order; ++i) {
    const auto k = static_cast<double>(i);
    const auto rest = static_cast<double>(order - i);
    const double term =
        log_binomial + k * std::log(q) + rest * std::log1p(-q) + (k * k - k) / (2 * sigma * sigma);
    sum = log_add(sum, term);
    log_binomial += std::log(rest) - std::log(k + 1);
  }
  return sum;
}

/// ln A of any other order: two series, for the integrals below and above z0, whose terms alternate
/// in sign once the index is past the order. Infinite where rounding leaves nothing of a series:
/// the order is of no use then.
double log_moment_of_broken_order(double q, double sigma, double order) {
  constexpr double kNegligible = -30;  // a term's logarithm
  const double z0 = sigma * sigma * std::log(1 / q - 1) + 0.5;
  const double scale = std::numbers::sqrt2 * sigma;
  double below = -kInfinity;
  double above = -kInfinity;
  double binomial = 1;  // order choose i, with its sign
  for (int64_t i = 0;; ++i) {
    const auto k = static_cast<double>(i);
    const double rest = order - k;
    const double log_binomial = std::log(std::abs(binomial));
    const double term_below = log_binomial + k * std::log(q) + rest * std::log1p(-q) +
                              (k * k - k) / (2 * sigma * sigma) + std::log(0.5) +
                              log_erfc((k - z0) / scale);
    const double term_above = log_binomial + rest * std::log(q) + k * std::log1p(-q) +
                              (rest * rest - rest) / (2 * sigma * sigma) + std::log(0.5) +
                              log_erfc((z0 - rest) / scale);
    if (binomial > 0) {
      below = log_add(below, term_below);
      above = log_add(above, term_above);
    } else {
      if (below < term_below || above < term_above) return kInfinity;
      below = log_subtract(below, term_below);
      above = log_subtract(above, term_above);
    }
    binomial *= rest / (k + 1);
    if (std::max(term_below, term_above) < kNegligible) return log_add(below, above);
  }
}

/// The divergence of this order that one step adds.
double divergence(const SampledGaussian& mechanism, double order) {
  const double q = mechanism.sample_rate;
  const double sigma = mechanism.noise_multiplier;
  if (q == 0) return 0;
  if (q == 1) return order / (2 * sigma * sigma);
  const bool is_whole = order == std::floor(order);
  const double log_moment = is_whole
                                ? log_moment_of_whole_order(q, sigma, static_cast<int64_t>(order))
                                : log_moment_of_broken_order(q, sigma, order);
  return log_moment / (order - 1);
}

}  // namespace

Accountant::Accountant(const SampledGaussian& mechanism) {
  PRESCRIPT_CHECK(
      mechanism.noise_multiplier > 0 && mechanism.sample_rate >= 0 && mechanism.sample_rate <= 1,
      "a mechanism of an accountant");
  for (const double order : orders()) divergences_.push_back(divergence(mechanism, order));
}

double Accountant::epsilon(int64_t steps, double delta) const {
  PRESCRIPT_CHECK(steps >= 0 && delta > 0 && delta < 1, "steps and delta of an accountant");
  if (steps == 0) return 0;
  double least = kInfinity;
  for (size_t i = 0; i < divergences_.size(); ++i) {
    const double order = orders()[i];
    const double epsilon = divergences_[i] * static_cast<double>(steps) -
                           (std::log(delta) + std::log(order)) / (order - 1) +
                           std::log((order - 1) / order);
    if (epsilon < least) least = epsilon;  // false for what is not a number
  }
  return std::max(0.0, least);
}

}  // namespace prescript
