#include "model/flops.h"

#include <algorithm>

namespace prescript {
namespace {

/// Query-key pairs that the part looks at.
double num_pairs(const Part& part) {
  if (part.causal_offset == Part::kNoMask) {
    return static_cast<double>(part.num_queries) * part.num_keys;
  }
  double pairs = 0;
  for (int32_t j = 0; j < part.num_queries; ++j) {
    pairs += std::min(part.num_keys, part.causal_offset + j + 1);
  }
  return pairs;
}

double flops_of_pairs(const DecoderConfig& config, std::span<const Part> parts) {
  double pairs = 0;
  for (const Part& part : parts) pairs += num_pairs(part);
  return 4 * static_cast<double>(config.query_size()) * pairs;
}

/// The scores again, dP and dQ; and dK and dV where they are wanted.
double input_gradient_flops_of_pairs(const DecoderConfig& config,
                                     std::span<const Part> parts,
                                     std::span<const KeptRun> kept_runs) {
  double products = 0;
  for (const Part& part : parts) {
    const bool to_keys =
        part.source == Part::kThisPass || kept_runs[part.source - 1].needs_gradient;
    products += (to_keys ? 5 : 3) * num_pairs(part);
  }
  return 2 * static_cast<double>(config.query_size()) * products;
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

Flops input_gradient_flops(const DecoderConfig& config,
                           const Pass& pass,
                           std::span<const KeptRun> kept_runs) {
  const Flops forward = forward_flops(config, pass);
  const auto inner_layers = static_cast<double>(config.num_layers - 1);
  const Flops inner = inner_layer_input_gradient_flops(config, pass, kept_runs);
  return {.products = forward.products,
          .attention = inner_layers * inner.attention +
                       input_gradient_flops_of_pairs(config, pass.output_parts, kept_runs),
          .head = forward.head};
}

Flops inner_layer_input_gradient_flops(const DecoderConfig& config,
                                       const Pass& pass,
                                       std::span<const KeptRun> kept_runs) {
  return {.products = inner_layer_flops(config, pass).products,
          .attention = input_gradient_flops_of_pairs(config, pass.parts, kept_runs)};
}

double count_flops(const DecoderConfig& config,
                   const Schedule& schedule,
                   const Pass& pass,
                   bool training) {
  const double forward = forward_flops(config, pass).total();
  if (!training) return forward;
  return forward + input_gradient_flops(config, pass, schedule.kept_runs).total();
}

}  // namespace prescript
