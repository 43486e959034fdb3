#include "audit/exposure.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace prescript {

Exposure exposure(double secret, std::span<const double> alternatives) {
  PRESCRIPT_CHECK(!alternatives.empty(), "alternatives to a secret");
  const auto ahead = std::ranges::count_if(alternatives, [&](double a) { return a > secret; });
  Exposure result{.rank = static_cast<size_t>(ahead) + 1, .num_ranked = alternatives.size() + 1};
  result.bits =
      std::log2(static_cast<double>(result.num_ranked) / static_cast<double>(result.rank));
  return result;
}

double expected_exposure_by_chance(size_t num_ranked) {
  PRESCRIPT_CHECK(num_ranked > 0, "ranks");
  double sum = 0;
  for (size_t rank = 1; rank <= num_ranked; ++rank) {
    sum += std::log2(static_cast<double>(num_ranked) / static_cast<double>(rank));
  }
  return sum / static_cast<double>(num_ranked);
}

}  // namespace prescript
