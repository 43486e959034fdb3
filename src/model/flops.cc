#include "model/flops.h"

#include <algorithm>
#include <span>

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

double flops_of_pairs(const DecoderConfig& config, std::span<const Part> parts) {
  return 4 * static_cast<double>(config.query_size()) * num_pairs(parts);
}

/// Weights of a layer that all rows meet, and those that output rows alone meet in the last.
double key_value_weights(const DecoderConfig& config) {
  return 2 * static_cast<double>(config.hidden_size * config.kv_size());
}
double other_weights(const DecoderConfig& config) {
  return static_cast<double>(config.hidden_size) *
         static_cast<double>(2 * config.query_size() + 3 * config.feed_forward_size);
}

}  // namespace

Flops inner_layer_flops(const DecoderConfig& config, const Pass& pass) {
  const auto rows = static_cast<double>(pass.num_rows());
  return {.products = 2 * rows * (key_value_weights(config) + other_weights(config)),
          .attention = flops_of_pairs(config, pass.parts)};
}

Flops forward_flops(const DecoderConfig& config, const Pass& pass) {
  const auto rows = static_cast<double>(pass.num_rows());
  const auto output_rows = static_cast<double>(pass.num_output_rows());
  const auto num_targets = static_cast<double>(pass.targets.size());
  const auto inner_layers = static_cast<double>(config.num_layers - 1);
  const Flops inner = inner_layer_flops(config, pass);
  return {.products = inner_layers * inner.products +
                      2 * (rows * key_value_weights(config) + output_rows * other_weights(config)),
          .attention = inner_layers * inner.attention + flops_of_pairs(config, pass.output_parts),
          .head = 2 * num_targets * static_cast<double>(config.hidden_size) *
                  static_cast<double>(config.vocabulary_size)};
}

Flops input_gradient_flops(const Flops& forward) {
  // Of a pair's two products of a head the backward repeats the scores, and adds dP, dV, dQ, dK.
  return {
      .products = forward.products, .attention = forward.attention / 2 * 5, .head = forward.head};
}

double count_flops(const DecoderConfig& config, const Pass& pass, bool training) {
  const Flops forward = forward_flops(config, pass);
  return forward.total() + (training ? input_gradient_flops(forward).total() : 0);
}

}  // namespace prescript
