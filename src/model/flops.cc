#include "model/flops.h"

#include <algorithm>

#include "model/layer_parts.h"

namespace prescript {
namespace {

/// Query-key pairs that the part looks at.
double num_pairs(const Part& part) {
  if (!part.is_masked()) return static_cast<double>(part.num_queries) * part.num_keys;
  double pairs = 0;
  for (int32_t j = 0; j < part.num_queries; ++j) {
    const int32_t end = part.causal_offset == Part::kNoMask
                            ? part.num_keys
                            : std::min(part.num_keys, part.causal_offset + j + 1);
    const int32_t begin =
        part.window_offset == Part::kNoWindow ? 0 : std::max(0, part.window_offset + j);
    pairs += std::max(0, end - begin);
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
         static_cast<double>(2 * config.query_size() + config.gate_up_size() +
                             config.feed_forward_size);
}

/// Σ of `flops(parts)` over layers [begin, end), of which there are two kinds; the last is not
/// among them.
template <typename FlopsOf>
double sum_over_inner_layers(const DecoderConfig& config,
                             const LayerParts& parts,
                             int64_t begin,
                             int64_t end,
                             const FlopsOf& flops) {
  double sum = 0;
  for (const bool slides : {false, true}) {
    int64_t count = 0;
    int64_t one = 0;
    for (int64_t layer = begin; layer < end; ++layer) {
      if (config.layer_slides(layer) != slides) continue;
      ++count;
      one = layer;
    }
    if (count > 0) sum += static_cast<double>(count) * flops(parts.of(one));
  }
  return sum;
}

/// The same over all layers.
template <typename FlopsOf>
double sum_over_layers(const DecoderConfig& config, const Pass& pass, const FlopsOf& flops) {
  const LayerParts parts(config, pass);
  const int64_t last = config.num_layers - 1;
  return flops(parts.of(last)) + sum_over_inner_layers(config, parts, 0, last, flops);
}

}  // namespace

Flops inner_layer_flops(const DecoderConfig& config, const Pass& pass) {
  const auto rows = static_cast<double>(pass.num_rows());
  return {.products = 2 * rows * (key_value_weights(config) + other_weights(config)),
          .attention = flops_of_pairs(config, pass.parts)};
}

Flops inner_layers_flops(const DecoderConfig& config,
                         const Pass& pass,
                         int64_t begin,
                         int64_t end) {
  return {.products = static_cast<double>(end - begin) * inner_layer_flops(config, pass).products,
          .attention =
              sum_over_inner_layers(config, LayerParts(config, pass), begin, end, [&](auto parts) {
                return flops_of_pairs(config, parts);
              })};
}

Flops forward_flops(const DecoderConfig& config, const Pass& pass) {
  const auto rows = static_cast<double>(pass.num_rows());
  const auto output_rows = static_cast<double>(pass.num_output_rows());
  const auto num_targets = static_cast<double>(pass.targets.size());
  const auto inner_layers = static_cast<double>(config.num_layers - 1);
  return {.products = inner_layers * inner_layer_flops(config, pass).products +
                      2 * (rows * key_value_weights(config) + output_rows * other_weights(config)),
          .attention = sum_over_layers(
              config, pass, [&](auto parts) { return flops_of_pairs(config, parts); }),
          .head = 2 * num_targets * static_cast<double>(config.hidden_size) *
                  static_cast<double>(config.vocabulary_size)};
}

Flops input_gradient_flops(const DecoderConfig& config,
                           const Pass& pass,
                           std::span<const KeptRun> kept_runs) {
  const Flops forward = forward_flops(config, pass);
  return {.products = forward.products,
          .attention = sum_over_layers(
              config,
              pass,
              [&](auto parts) { return input_gradient_flops_of_pairs(config, parts, kept_runs); }),
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
