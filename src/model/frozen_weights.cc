#include "model/frozen_weights.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "model/device_blocks.h"
#include "model/file_weights.h"
#include "model/held_weights.h"

namespace prescript {
namespace {

/// Every weight is laid out at the beginning; the source is not read again.
class ConvertedWeights final : public WeightsWithVectors {
 public:
  ConvertedWeights(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : WeightsWithVectors(ops, source, config, dtype, WeightFormat::kConverted),
        embedding_scale_(config.embedding_scale()) {
    Loaded embedding{{stored_.embedding(), held_.embedding_VD}};
    std::vector<Loaded> all{embedding};
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      Loaded& of_layer = all.emplace_back();
      for (const Projection which : projections_of(config, layer)) {
        of_layer.emplace_back(stored_.projection(layer, which), projection(layer, which));
      }
    }
    if (!config.tied_head) all.push_back({{stored_.head(), held_.head_VD}});
    load(all);
  }

  Weight projection(int64_t layer, Projection which) override {
    return held_.layers[layer][index_of(which)];
  }

  WeightRows head_VD() override { return held_.head_VD; }

  void embed(std::span<const Tensor> prompts_PD, std::span<const Row> rows, Tensor x_ND) override {
    ops_.embed(held_.embedding_VD, embedding_scale_, prompts_PD, rows, x_ND);
  }

 private:
  /// Weights that are loaded together, and where they are laid out.
  using Loaded = std::vector<std::pair<StoredWeight, Weight>>;

  /// By their blocks where the backend decodes those: fewer bytes are copied, and it is faster.
  void load(const std::vector<Loaded>& all) {
    const auto blocks_of = [this](const Loaded& weights) {
      std::vector<StoredWeight> blocks;
      for (const auto& [stored, weight] : weights) {
        if (is_in_blocks(ops_, source_, stored)) blocks.push_back(stored);
      }
      return blocks;
    };
    size_t room = 0;
    for (const Loaded& weights : all) {
      room = std::max(room, DeviceBlocks::bytes(source_, blocks_of(weights)));
    }
    std::optional<DeviceBlocks> blocks;
    if (room > 0) blocks.emplace(ops_, source_, room);
    for (const Loaded& weights : all) {
      if (blocks) {
        blocks->start(blocks_of(weights));
        blocks->finish();
      }
      for (const auto& [stored, weight] : weights) {
        if (is_in_blocks(ops_, source_, stored)) {
          blocks->decode(stored, 0, weight);
        } else {
          read(stored, 0, weight);
        }
      }
    }
  }

  const double embedding_scale_;
};

}  // namespace

size_t weight_bytes(const BackendTraits& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    WeightFormat format,
                    const TensorSource* source) {
  Arena measuring;
  lay_out_held(measuring, config, dtype, ops.accumulate_dtype(), format);
  size_t bytes = measuring.used();
  if (format == WeightFormat::kConverted || source == nullptr || !ops.holds_blocks()) return bytes;
  bytes += DeviceBlocks::bytes(*source, blocks_of_head(ops, *source, config));
  if (format == WeightFormat::kStreamed) {
    return bytes + bytes_of_largest_layer(ops, *source, config);
  }
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    bytes += DeviceBlocks::bytes(*source, blocks_of_layer(ops, *source, config, layer));
  }
  return bytes;
}

std::unique_ptr<FrozenWeights> load_weights(Ops& ops,
                                            const TensorSource& source,
                                            const DecoderConfig& config,
                                            DType dtype,
                                            WeightFormat format) {
  check_weights(source, config);
  switch (format) {
    case WeightFormat::kAsStored:
      return make_as_stored_weights(ops, source, config, dtype);
    case WeightFormat::kStreamed:
      return make_streamed_weights(ops, source, config, dtype);
    case WeightFormat::kConverted:
      break;
  }
  return std::make_unique<ConvertedWeights>(ops, source, config, dtype);
}

}  // namespace prescript
