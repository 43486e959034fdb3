#include "statistics/mcnemar.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prescript {
namespace {

/// P(X = k) for X binomial with n trials and p = 1/2.
double half_binomial(size_t k, size_t n) {
  const auto log_factorial = [](size_t m) { return std::lgamma(static_cast<double>(m) + 1); };
  return std::exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) -
                  static_cast<double>(n) * std::numbers::ln2);
}

}  // namespace

McNemar mcnemar(size_t only_first, size_t only_second) {
  McNemar test{.only_first = only_first, .only_second = only_second, .exact_p = 1, .mid_p = 1};
  const size_t n = only_first + only_second;
  if (n == 0) return test;
  const size_t fewer = std::min(only_first, only_second);
  double tail = 0;
  for (size_t k = 0; k <= fewer; ++k) tail += half_binomial(k, n);
  const double observed = half_binomial(fewer, n);
  test.exact_p = std::min(1.0, 2 * tail);
  // Where both are equal, the two tails share what was observed.
  test.mid_p = only_first == only_second ? 1 - observed / 2 : 2 * tail - observed;
  return test;
}

}  // namespace prescript
