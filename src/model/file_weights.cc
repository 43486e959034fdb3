#include "model/file_weights.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "model/device_blocks.h"
#include "model/held_weights.h"

namespace prescript {
namespace {

/// What is laid out whenever it is asked for: rows of the head, from the file or from blocks that
/// the backend holds; of the embedding, which may be the head too, the rows of tokens that occur,
/// from the file.
class FileWeights : public WeightsWithVectors {
 public:
  FileWeights(Ops& ops,
              const TensorSource& source,
              const DecoderConfig& config,
              DType dtype,
              WeightFormat format)
      : WeightsWithVectors(ops, source, config, dtype, format),
        embedding_scale_(config.embedding_scale()),
        embedding_(stored_.embedding()),
        head_(stored_.head()) {
    if (const auto head = blocks_of_head(ops, source, config); !head.empty()) {
      head_blocks_.emplace(ops, source, DeviceBlocks::bytes(source, head));
      head_blocks_->start(head);
      head_blocks_->finish();
    }
  }

  WeightRows head_VD() override {
    return WeightRows({nullptr, dtype(), head_.rows(), head_.cols},
                      [this](int64_t begin, int64_t count) {
                        const Weight weight = in_scratch(count, head_.cols);
                        lay_out(head_blocks_ ? &*head_blocks_ : nullptr, head_, begin, weight);
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

 protected:
  /// Fills `weight` from blocks in the backend's memory where there are such, else from the file.
  void lay_out(DeviceBlocks* blocks,
               const StoredWeight& stored,
               int64_t first,
               const Weight& weight) {
    if (blocks != nullptr && is_in_blocks(ops_, source_, stored)) {
      blocks->decode(stored, first, weight);
    } else {
      read(stored, first, weight);
    }
  }

  Weight in_scratch(int64_t rows, int64_t cols) const {
    return {held_.scratch.data, dtype(), rows, cols};
  }

 private:
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

  const double embedding_scale_;
  StoredWeight embedding_;
  StoredWeight head_;
  std::optional<DeviceBlocks> head_blocks_;
};

/// One weight at a time is laid out, in scratch.
class AsStoredWeights final : public FileWeights {
 public:
  AsStoredWeights(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : FileWeights(ops, source, config, dtype, WeightFormat::kAsStored) {
    for (int64_t layer = 0; layer < config.num_layers && ops.holds_blocks(); ++layer) {
      const auto weights = blocks_of_layer(ops, source, config, layer);
      DeviceBlocks& blocks =
          layers_.emplace_back(ops, source, DeviceBlocks::bytes(source, weights));
      blocks.start(weights);
      blocks.finish();
    }
  }

  Weight projection(int64_t layer, Projection which) override {
    const StoredWeight stored = stored_.projection(layer, which);
    const Weight weight = in_scratch(stored.rows(), stored.cols);
    lay_out(layers_.empty() ? nullptr : &layers_[static_cast<size_t>(layer)], stored, 0, weight);
    return weight;
  }

 private:
  std::deque<DeviceBlocks> layers_;  // of a backend that holds blocks
};

/// One layer at a time is laid out; the blocks of the next are read meanwhile, into the memory of a
/// backend that holds blocks, else into that of the system.
class StreamedWeights final : public FileWeights {
 public:
  StreamedWeights(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : FileWeights(ops, source, config, dtype, WeightFormat::kStreamed) {
    if (!ops.holds_blocks()) return;
    blocks_.emplace(ops, source, bytes_of_largest_layer(ops, source, config));
  }

  void expect(int64_t layer) override { expected_ = layer; }

  Weight projection(int64_t layer, Projection which) override {
    if (layer != laid_out_) lay_out_layer(layer);
    return layer_weights(layer)[index_of(which)];
  }

 private:
  static constexpr int64_t kNone = -1;

  const HeldWeights::Layer& layer_weights(int64_t layer) const {
    return layer + 1 == config_.num_layers ? held_.last_layer : held_.inner_layer;
  }

  void lay_out_layer(int64_t layer) {
    laid_out_ = kNone;  // until it is whole
    if (started_ != layer) start(layer);
    finish();
    for (const Projection which : projections_of(config_, layer)) {
      lay_out(blocks_ ? &*blocks_ : nullptr,
              stored_.projection(layer, which),
              0,
              layer_weights(layer)[index_of(which)]);
    }
    laid_out_ = layer;
    if (expected_ != layer) start(expected_);
  }

  void start(int64_t layer) {
    finish();
    if (blocks_) {
      blocks_->start(blocks_of_layer(ops_, source_, config_, layer));
    } else {
      for (const Projection which : projections_of(config_, layer)) {
        for (const StoredRows& rows : stored_.projection(layer, which).tensors) {
          source_.read_ahead(rows.name);
        }
      }
    }
    started_ = layer;
  }

  void finish() {
    started_ = kNone;  // whatever comes of it
    if (blocks_) blocks_->finish();
  }

  std::optional<DeviceBlocks> blocks_;
  int64_t laid_out_ = kNone;
  int64_t started_ = kNone;  // the layer whose blocks are on their way
  int64_t expected_ = 0;
};

}  // namespace

std::unique_ptr<FrozenWeights> make_as_stored_weights(Ops& ops,
                                                      const TensorSource& source,
                                                      const DecoderConfig& config,
                                                      DType dtype) {
  return std::make_unique<AsStoredWeights>(ops, source, config, dtype);
}

std::unique_ptr<FrozenWeights> make_streamed_weights(Ops& ops,
                                                     const TensorSource& source,
                                                     const DecoderConfig& config,
                                                     DType dtype) {
  return std::make_unique<StreamedWeights>(ops, source, config, dtype);
}

}  // namespace prescript
