#pragma once
// What every format of frozen weights holds in memory: norms, biases, and room for weights.

#include <array>
#include <vector>

#include "base/arena.h"
#include "model/frozen_weights.h"

namespace prescript {

/// Tensors and weights in one block.
struct HeldWeights {
  using Layer = std::array<Weight, kNumProjections>;

  std::vector<std::array<Tensor, kNumLayerVectors>> vectors;  // by layers
  Tensor final_norm_D;
  Tensor final_norm_bias_D;
  Tensor positions_PD;
  // kConverted:
  Weight embedding_VD;
  std::vector<Layer> layers;
  Weight head_VD;
  // kAsStored, kStreamed: room for rows of embedding or head, and for each weight that kAsStored is
  // asked for.
  Weight scratch;
  // kStreamed, in the same room: a layer that is not the last, and the last.
  Layer inner_layer;
  Layer last_layer;
};

template <typename Which>
size_t index_of(Which which) {
  return static_cast<size_t>(which);
}

/// Over a measuring arena, or over the block.
HeldWeights lay_out_held(
    Arena& arena, const DecoderConfig& config, DType dtype, DType sums, WeightFormat format);

/// Whether `ops` can have the blocks of a weight; of others it is given numbers.
bool is_in_blocks(const BackendTraits& ops, const TensorSource& source, const StoredWeight& weight);

/// The weights of a layer whose blocks `ops` can have.
std::vector<StoredWeight> blocks_of_layer(const BackendTraits& ops,
                                          const TensorSource& source,
                                          const DecoderConfig& config,
                                          int64_t layer);

/// The same of the head.
std::vector<StoredWeight> blocks_of_head(const BackendTraits& ops,
                                         const TensorSource& source,
                                         const DecoderConfig& config);

/// Room for the blocks of any one layer.
size_t bytes_of_largest_layer(const BackendTraits& ops,
                              const TensorSource& source,
                              const DecoderConfig& config);

/// Norms, biases and learned positions.
class WeightsWithVectors : public FrozenWeights {
 public:
  WeightsWithVectors(Ops& ops,
                     const TensorSource& source,
                     const DecoderConfig& config,
                     DType dtype,
                     WeightFormat format);

  DType dtype() const override { return dtype_; }
  size_t bytes() const override { return bytes_; }
  Tensor vector(int64_t layer, LayerVector which) const override {
    return held_.vectors[layer][index_of(which)];
  }
  Tensor final_norm_D() const override { return held_.final_norm_D; }
  Tensor final_norm_bias_D() const override { return held_.final_norm_bias_D; }
  Tensor positions_PD() const override { return held_.positions_PD; }

 protected:
  /// Fills `weight` with rows of `stored` from `first` on, by their numbers.
  void read(const StoredWeight& stored, int64_t first, const Weight& weight);

  Ops& ops_;
  const TensorSource& source_;
  const DecoderConfig config_;
  const StoredWeights stored_;
  HeldWeights held_;

 private:
  DType dtype_;
  size_t bytes_;
  Buffer block_;
};

}  // namespace prescript
