#include "statistics/krippendorff.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace prescript {
namespace {

/// Squared differences between options, [num_options, num_options]; `counts` are how often each
/// occurs among the ratings that can be paired.
std::vector<double> squared_differences(std::span<const double> counts, RatingScale scale) {
  const size_t n = counts.size();
  std::vector<double> squares(n * n, 0);
  for (size_t a = 0; a < n; ++a) {
    double between = counts[a];  // ratings from a to b, both ends included
    for (size_t b = a + 1; b < n; ++b) {
      between += counts[b];
      const double ranks = between - (counts[a] + counts[b]) / 2;
      squares[a * n + b] = squares[b * n + a] = scale == RatingScale::kNominal ? 1 : ranks * ranks;
    }
  }
  return squares;
}

}  // namespace

std::optional<double> krippendorff_alpha(std::span<const std::vector<size_t>> units,
                                         size_t num_options,
                                         RatingScale scale) {
  std::vector<double> counts(num_options, 0);
  // Pairs of options given by different raters to one unit, each unit weighted by 1 / (its ratings
  // - 1), so that every rating counts once.
  std::vector<double> coincidences(num_options * num_options, 0);
  for (const std::vector<size_t>& ratings : units) {
    for (const size_t option : ratings)
      PRESCRIPT_CHECK(option < num_options, "option " + std::to_string(option));
    if (ratings.size() < 2) continue;
    const double weight = 1 / static_cast<double>(ratings.size() - 1);
    for (size_t i = 0; i < ratings.size(); ++i) {
      ++counts[ratings[i]];
      for (size_t j = 0; j < ratings.size(); ++j)
        if (i != j) coincidences[ratings[i] * num_options + ratings[j]] += weight;
    }
  }
  const std::vector<double> squares = squared_differences(counts, scale);
  double total = 0;
  double observed = 0;
  double expected = 0;
  for (size_t a = 0; a < num_options; ++a) {
    total += counts[a];
    for (size_t b = 0; b < num_options; ++b) {
      observed += coincidences[a * num_options + b] * squares[a * num_options + b];
      expected += counts[a] * counts[b] * squares[a * num_options + b];
    }
  }
  if (expected == 0) return std::nullopt;
  return 1 - (total - 1) * observed / expected;
}

}  // namespace prescript
