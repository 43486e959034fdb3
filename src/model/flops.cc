#include <algorithm>

#include "model/forest_run.h"

namespace prescript {
namespace {

/// Query-key pairs that the parts look at.
double num_pairs(std::span<const Part> parts) {
  double pairs = 0;
  for (const Part& part : parts) {
    if (part.causal_offset == Part::kNoMask) {
      pairs += static_cast<double>(part.num_queries) * part.num_keys;
      continue;
    }
    for (int32_t j = 0; j < part.num_queries; ++j) {
      pairs += std::min(part.num_keys, part.causal_offset + j + 1);
    }
  }
  return pairs;
}

}  // namespace

double count_flops(const DecoderConfig& config, const Pass& pass, bool training) {
  const auto D = static_cast<double>(config.hidden_size);
  const auto HE = static_cast<double>(config.query_size());
  const auto KE = static_cast<double>(config.kv_size());
  const auto F = static_cast<double>(config.feed_forward_size);
  const auto N = static_cast<double>(pass.num_rows());
  const auto A = static_cast<double>(pass.num_output_rows());
  const auto T = static_cast<double>(pass.targets.size());
  const auto inner_layers = static_cast<double>(config.num_layers - 1);

  const double kv_weights = 2 * D * KE;
  const double other_weights = 2 * D * HE + 3 * D * F;
  const double products = inner_layers * N * (kv_weights + other_weights) + N * kv_weights +
                          A * other_weights + T * D * static_cast<double>(config.vocabulary_size);
  const double pairs = inner_layers * num_pairs(pass.parts) + num_pairs(pass.output_parts);
  // A product costs 2 per weight forward and 2 for its input gradient; a pair costs two products of
  // a head forward (scores, values) and five backward (scores again, dP, dV, dQ, dK).
  return (training ? 4 : 2) * products + (training ? 14 : 4) * HE * pairs;
}

}  // namespace prescript
