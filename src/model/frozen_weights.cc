#include "model/frozen_weights.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/arena.h"
#include "model/device_blocks.h"

namespace prescript {
namespace {

/// What is held in memory, in one block.
struct HeldWeights {
  std::vector<std::array<Tensor, kNumLayerVectors>> vectors;  // by layers
  Tensor final_norm_D;
  Tensor final_norm_bias_D;
  Tensor positions_PD;
  // kConverted:
  Weight embedding_VD;
  std::vector<std::array<Weight, kNumProjections>> layers;
  Weight head_VD;
  // kAsStored:
  Weight scratch;  // room for the largest weight that is asked for
};

template <typename Which>
size_t index_of(Which which) {
  return static_cast<size_t>(which);
}

/// The weight in whose room every other weight, and any rows of embedding or head, find theirs.
Weight largest_weight(const DecoderConfig& config, const StoredWeights& stored, DType dtype) {
  Weight largest{
      nullptr, dtype, std::min(config.vocabulary_size, WeightRows::kMaxRows), config.hidden_size};
  for (const int64_t layer : {int64_t{0}, config.num_layers - 1}) {
    for (const Projection which : projections_of(config, layer)) {
      const StoredWeight weight = stored.projection(layer, which);
      const Weight candidate{nullptr, dtype, weight.rows(), weight.cols};
      if (candidate.bytes() > largest.bytes()) largest = candidate;
    }
  }
  return largest;
}

HeldWeights lay_out(Arena& arena,
                    const DecoderConfig& config,
                    const StoredWeights& stored,
                    DType dtype,
                    DType sums,
                    WeightFormat format) {
  const auto take = [&](const StoredWeight& weight) {
    return arena.take_weight(weight.rows(), weight.cols, dtype);
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
  if (format == WeightFormat::kAsStored) {
    const Weight largest = largest_weight(config, stored, dtype);
    held.scratch = arena.take_weight(largest.rows, largest.cols, dtype);
    return held;
  }
  held.embedding_VD = take(stored.embedding());
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    auto& weights = held.layers.emplace_back();
    for (const Projection which : projections_of(config, layer)) {
      weights[index_of(which)] = take(stored.projection(layer, which));
    }
  }
  held.head_VD = config.tied_head ? held.embedding_VD : take(stored.head());
  return held;
}

/// Whether a weight that is kAsStored stays so in the backend's memory, not in the file.
bool is_in_blocks(const BackendTraits& ops,
                  const TensorSource& source,
                  const StoredWeight& weight) {
  return ops.holds_blocks() && DeviceBlocks::can_hold(source, weight);
}

std::vector<StoredWeight> weights_in_blocks(const BackendTraits& ops,
                                            const TensorSource& source,
                                            const DecoderConfig& config) {
  const StoredWeights stored(config, kind_of(source, config));
  std::vector<StoredWeight> weights;
  const auto add = [&](const StoredWeight& weight) {
    if (is_in_blocks(ops, source, weight)) weights.push_back(weight);
  };
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (const Projection which : projections_of(config, layer)) {
      add(stored.projection(layer, which));
    }
  }
  add(stored.head());
  return weights;
}

/// What both formats have in common.
class WeightsWithVectors : public FrozenWeights {
 public:
  WeightsWithVectors(Ops& ops,
                     const TensorSource& source,
                     const DecoderConfig& config,
                     DType dtype,
                     WeightFormat format)
      : ops_(ops),
        source_(source),
        stored_(config, kind_of(source, config)),
        embedding_scale_(config.embedding_scale()),
        dtype_(dtype),
        bytes_(weight_bytes(ops, config, dtype, format, &source)) {
    Arena measuring;
    lay_out(measuring, config, stored_, dtype, ops.accumulate_dtype(), format);
    block_ = ops.allocate(measuring.used());
    Arena arena(block_.get(), measuring.used());
    held_ = lay_out(arena, config, stored_, dtype, ops.accumulate_dtype(), format);
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

  DType dtype() const override { return dtype_; }
  size_t bytes() const override { return bytes_; }
  Tensor vector(int64_t layer, LayerVector which) const override {
    return held_.vectors[layer][index_of(which)];
  }
  Tensor final_norm_D() const override { return held_.final_norm_D; }
  Tensor final_norm_bias_D() const override { return held_.final_norm_bias_D; }
  Tensor positions_PD() const override { return held_.positions_PD; }

 protected:
  /// Fills `weight` with rows of `stored` from `first` on.
  void read(const StoredWeight& stored, int64_t first, const Weight& weight) {
    ops_.lay_out(
        [&](int64_t begin, int64_t count, float* rows) {
          stored.read(source_, first + begin, count, rows);
        },
        weight);
    stored.release(source_);
  }

  Ops& ops_;
  const TensorSource& source_;
  const StoredWeights stored_;
  const double embedding_scale_;
  HeldWeights held_;

 private:
  DType dtype_;
  size_t bytes_;
  Buffer block_;
};

/// Every weight is laid out at the beginning; the source is not read again.
class ConvertedWeights final : public WeightsWithVectors {
 public:
  ConvertedWeights(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : WeightsWithVectors(ops, source, config, dtype, WeightFormat::kConverted) {
    read(stored_.embedding(), 0, held_.embedding_VD);
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      for (const Projection which : projections_of(config, layer)) {
        read(stored_.projection(layer, which), 0, projection(layer, which));
      }
    }
    if (!config.tied_head) read(stored_.head(), 0, held_.head_VD);
  }

  Weight projection(int64_t layer, Projection which) override {
    return held_.layers[layer][index_of(which)];
  }

  WeightRows head_VD() override { return held_.head_VD; }

  void embed(std::span<const Tensor> prompts_PD, std::span<const Row> rows, Tensor x_ND) override {
    ops_.embed(held_.embedding_VD, embedding_scale_, prompts_PD, rows, x_ND);
  }
};

/// One weight at a time is laid out, in scratch: from the file, or from blocks that the backend
/// holds. Of the embedding, which may be the head too, only a few rows are asked for at a time, and
/// those come from the file.
class AsStoredWeights final : public WeightsWithVectors {
 public:
  AsStoredWeights(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : WeightsWithVectors(ops, source, config, dtype, WeightFormat::kAsStored),
        embedding_(stored_.embedding()),
        head_(stored_.head()),
        blocks_(ops, source) {
    for (const StoredWeight& weight : weights_in_blocks(ops, source, config)) blocks_.load(weight);
  }

  Weight projection(int64_t layer, Projection which) override {
    const StoredWeight stored = stored_.projection(layer, which);
    const Weight weight = in_scratch(stored.rows(), stored.cols);
    decode(stored, 0, weight);
    return weight;
  }

  WeightRows head_VD() override {
    return WeightRows({nullptr, dtype(), head_.rows(), head_.cols},
                      [this](int64_t begin, int64_t count) {
                        const Weight weight = in_scratch(count, head_.cols);
                        decode(head_, begin, weight);
                        return weight;
                      });
  }

  void embed(std::span<const Tensor> prompts_PD, std::span<const Row> rows, Tensor x_ND) override {
    for (int64_t begin = 0; begin < x_ND.rows; begin += WeightRows::kMaxRows) {
      const int64_t count = std::min(WeightRows::kMaxRows, x_ND.rows - begin);
      embed_some(prompts_PD, rows.subspan(begin, count), x_ND.row_range(begin, count));
    }
    embedding_.release(source_);
  }

 private:
  void decode(const StoredWeight& stored, int64_t first, const Weight& weight) {
    if (is_in_blocks(ops_, source_, stored)) {
      blocks_.decode(stored, first, weight);
    } else {
      read(stored, first, weight);
    }
  }

  Weight in_scratch(int64_t rows, int64_t cols) const {
    return {held_.scratch.data, dtype(), rows, cols};
  }

  /// As an embedding of the tokens that occur, in their order.
  void embed_some(std::span<const Tensor> prompts_PD, std::span<const Row> rows, Tensor x_ND) {
    std::vector<Row> numbered(rows.begin(), rows.end());
    std::vector<int32_t> ids;
    for (Row& row : numbered) {
      if (row.is_virtual()) continue;
      const auto number = static_cast<int32_t>(ids.size());
      ids.push_back(row.index);
      row = Row::token(number);
    }
    const Weight tokens = in_scratch(static_cast<int64_t>(ids.size()), embedding_.cols);
    ops_.lay_out(
        [&](int64_t begin, int64_t count, float* values) {
          for (int64_t i = begin; i < begin + count; ++i, values += embedding_.cols) {
            embedding_.read(source_, ids[i], 1, values);
          }
        },
        tokens);
    ops_.embed(tokens, embedding_scale_, prompts_PD, numbered, x_ND);
  }

  StoredWeight embedding_;
  StoredWeight head_;
  DeviceBlocks blocks_;
};

}  // namespace

size_t weight_bytes(const BackendTraits& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    WeightFormat format,
                    const TensorSource* source) {
  Arena measuring;
  lay_out(
      measuring, config, StoredWeights(config, FileKind{}), dtype, ops.accumulate_dtype(), format);
  size_t bytes = measuring.used();
  if (format == WeightFormat::kAsStored && source != nullptr) {
    for (const StoredWeight& weight : weights_in_blocks(ops, *source, config)) {
      bytes += DeviceBlocks::bytes(*source, weight);
    }
  }
  return bytes;
}

std::unique_ptr<FrozenWeights> load_weights(Ops& ops,
                                            const TensorSource& source,
                                            const DecoderConfig& config,
                                            DType dtype,
                                            WeightFormat format) {
  check_weights(source, config);
  if (format == WeightFormat::kAsStored) {
    return std::make_unique<AsStoredWeights>(ops, source, config, dtype);
  }
  return std::make_unique<ConvertedWeights>(ops, source, config, dtype);
}

}  // namespace prescript
