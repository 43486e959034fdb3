#pragma once
// McNemar's test: do two systems, asked the same questions, differ in how many they get right?

#include <cstddef>

namespace prescript {

/// Both p-values are two-sided and computed from the binomial distribution, however many pairs
/// there are: nothing is approximated.
struct McNemar {
  size_t only_first;   // questions that only the first system got right
  size_t only_second;  // questions that only the second system got right
  /// The exact conditional test: under the null hypothesis, min(only_first, only_second) is
  /// binomial with p = 1/2. Never too small a p, hence what reports state. 1 without discordant
  /// pairs.
  double exact_p;
  /// The exact p less half the probability of what was observed: less conservative, and close to
  /// its nominal level for few pairs.
  double mid_p;
};

/// Source   McNemar 1947; mid-p: Fagerland, Lydersen and Laake, "The McNemar test for binary
/// matched-pairs
///          data: mid-p and asymptotic are better than exact conditional", 2013, equations 4 and 5.
McNemar mcnemar(size_t only_first, size_t only_second);

}  // namespace prescript
