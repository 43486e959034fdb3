#include "model/held_weights.h"

#include <algorithm>

#include "model/device_blocks.h"

namespace prescript {
namespace {

/// The weight in whose room every other weight, and any rows of embedding or head, find theirs.
Weight largest_weight(const DecoderConfig& config,
                      const StoredWeights& stored,
                      DType dtype,
                      WeightFormat format) {
  Weight largest{
      nullptr, dtype, std::min(config.vocabulary_size, WeightRows::kMaxRows), config.hidden_size};
  if (format == WeightFormat::kStreamed) return largest;
  for (const int64_t layer : {int64_t{0}, config.num_layers - 1}) {
    for (const Projection which : projections_of(config, layer)) {
      const StoredWeight weight = stored.projection(layer, which);
      const Weight candidate{nullptr, dtype, weight.rows(), weight.cols};
      if (candidate.bytes() > largest.bytes()) largest = candidate;
    }
  }
  return largest;
}

}  // namespace

bool is_in_blocks(const BackendTraits& ops,
                  const TensorSource& source,
                  const StoredWeight& weight) {
  return ops.holds_blocks() && DeviceBlocks::can_hold(source, weight);
}

HeldWeights lay_out_held(
    Arena& arena, const DecoderConfig& config, DType dtype, DType sums, WeightFormat format) {
  const StoredWeights stored(config, FileKind{});  // their extents
  const auto take = [&](const StoredWeight& weight) {
    return arena.take_weight(weight.rows(), weight.cols, dtype);
  };
  const auto take_layer = [&](int64_t layer) {
    HeldWeights::Layer weights;
    for (const Projection which : projections_of(config, layer)) {
      weights[index_of(which)] = take(stored.projection(layer, which));
    }
    return weights;
  };
  HeldWeights held;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    auto& vectors = held.vectors.emplace_back();
    for (const LayerVector which : vectors_of(config)) {
      vectors[index_of(which)] = arena.take(1, stored.vector(layer, which).size(), sums);
    }
  }
  held.final_norm_D = arena.take(1, config.hidden_size, sums);
  if (config.features.norm == NormKind::kLayer) {
    held.final_norm_bias_D = arena.take(1, config.hidden_size, sums);
  }
  if (config.features.learned_positions) {
    held.positions_PD = arena.take(config.max_positions, config.hidden_size, dtype);
  }
  if (format == WeightFormat::kConverted) {
    held.embedding_VD = take(stored.embedding());
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      held.layers.push_back(take_layer(layer));
    }
    held.head_VD = config.tied_head ? held.embedding_VD : take(stored.head());
    return held;
  }
  const Weight largest = largest_weight(config, stored, dtype, format);
  held.scratch = arena.take_weight(largest.rows, largest.cols, dtype);
  if (format == WeightFormat::kStreamed) {
    const Arena begin = arena;
    held.last_layer = take_layer(config.num_layers - 1);
    const Arena behind_last = arena;
    arena = begin;
    held.inner_layer = take_layer(0);
    if (behind_last.used() > arena.used()) arena = behind_last;
  }
  return held;
}

std::vector<StoredWeight> blocks_of_layer(const BackendTraits& ops,
                                          const TensorSource& source,
                                          const DecoderConfig& config,
                                          int64_t layer) {
  const StoredWeights stored(config, kind_of(source, config));
  std::vector<StoredWeight> weights;
  for (const Projection which : projections_of(config, layer)) {
    const StoredWeight weight = stored.projection(layer, which);
    if (is_in_blocks(ops, source, weight)) weights.push_back(weight);
  }
  return weights;
}

std::vector<StoredWeight> blocks_of_head(const BackendTraits& ops,
                                         const TensorSource& source,
                                         const DecoderConfig& config) {
  const StoredWeight head = StoredWeights(config, kind_of(source, config)).head();
  if (!is_in_blocks(ops, source, head)) return {};
  return {head};
}

size_t bytes_of_largest_layer(const BackendTraits& ops,
                              const TensorSource& source,
                              const DecoderConfig& config) {
  size_t bytes = 0;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    const auto weights = blocks_of_layer(ops, source, config, layer);
    bytes = std::max(bytes, DeviceBlocks::bytes(source, weights));
  }
  return bytes;
}

WeightsWithVectors::WeightsWithVectors(Ops& ops,
                                       const TensorSource& source,
                                       const DecoderConfig& config,
                                       DType dtype,
                                       WeightFormat format)
    : ops_(ops),
      source_(source),
      config_(config),
      stored_(config, kind_of(source, config)),
      dtype_(dtype),
      bytes_(weight_bytes(ops, config, dtype, format, &source)) {
  Arena measuring;
  lay_out_held(measuring, config, dtype, ops.accumulate_dtype(), format);
  block_ = ops.allocate(measuring.used());
  Arena arena(block_.get(), measuring.used());
  held_ = lay_out_held(arena, config, dtype, ops.accumulate_dtype(), format);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (const LayerVector which : vectors_of(config)) {
      ops.upload(stored_.vector(layer, which).read(source).data(), vector(layer, which));
    }
  }
  ops.upload(stored_.final_norm().read(source).data(), final_norm_D());
  if (config.features.norm == NormKind::kLayer) {
    ops.upload(stored_.final_norm_bias().read(source).data(), final_norm_bias_D());
  }
  if (config.features.learned_positions) {
    const StoredWeight positions = stored_.positions();
    std::vector<float> values(static_cast<size_t>(positions.rows() * positions.cols));
    positions.read(source, 0, positions.rows(), values.data());
    ops.upload(values.data(), positions_PD());
  }
}

void WeightsWithVectors::read(const StoredWeight& stored, int64_t first, const Weight& weight) {
  ops_.lay_out(
      [&](int64_t begin, int64_t count, float* rows) {
        stored.read(source_, first + begin, count, rows);
      },
      weight);
  stored.release(source_);
}

}  // namespace prescript
