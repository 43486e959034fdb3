#pragma once
// The exposure of a secret: how far ahead of all that it could have been a model puts it.

#include <cstddef>
#include <span>

namespace prescript {

struct Exposure {
  size_t rank = 0;        // 1: no alternative is more likely
  size_t num_ranked = 0;  // the secret and its alternatives
  double bits = 0;        // log2(num_ranked / rank): at most log2(num_ranked)
};

/// Of a secret among alternatives drawn at random from all that it could have been, by
/// log-likelihood; what is as likely as the secret is not ahead of it. For a secret that a model
/// knows nothing of, every rank is equally likely, and bits are around 1.44 on average.
/// Throws   ContractError without alternatives.
/// Source   Carlini et al. 2019, "The secret sharer", sections 4.2 and 4.3 (by sampling).
Exposure exposure(double secret, std::span<const double> alternatives);

/// Bits that secrets which a model knows nothing of have on average: the mean over all ranks.
double expected_exposure_by_chance(size_t num_ranked);

}  // namespace prescript
