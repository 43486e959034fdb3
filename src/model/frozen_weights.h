#pragma once
// The frozen weights of a decoder in the compute dtype and the layout the layer function reads.

#include <memory>

#include "model/stored_weight.h"
#include "ops/ops.h"

namespace prescript {

/// Where a weight is while nothing multiplies by it.
enum class WeightFormat {
  kConverted,  // in memory, laid out
  kAsStored,   // in the mapped file, or in its blocks in the memory of a backend that holds them:
               // laid out from there whenever it is asked for
  kStreamed,   // in the mapped file, of which one layer at a time is laid out while the next is
               // read
};

/// Their numbers and their layout do not depend on the format. Norms and biases are always in
/// memory. For one thread at a time.
class FrozenWeights {
 public:
  virtual ~FrozenWeights() = default;

  virtual DType dtype() const = 0;

  /// What they take in memory, beside pages of the file.
  virtual size_t bytes() const = 0;

  /// [1, size] in the accumulate dtype, without data where layers have none.
  virtual Tensor vector(int64_t layer, LayerVector which) const = 0;
  virtual Tensor final_norm_D() const = 0;
  virtual Tensor final_norm_bias_D() const = 0;
  /// Embeddings of positions that were learned, [positions, D], without data where there are none.
  virtual Tensor positions_PD() const = 0;

  /// Says which layer's projections will be asked for behind those of the layer that is asked for
  /// next: streamed weights read them meanwhile.
  virtual void expect(int64_t /*layer*/) {}

  // What these give is valid until the next call of any of them, and of `head_VD`'s rows.

  virtual Weight projection(int64_t layer, Projection which) = 0;

  /// The embedding itself where the head is tied.
  virtual WeightRows head_VD() = 0;

  /// Ops::embed of these weights' embedding, scaled as the family scales it.
  virtual void embed(std::span<const Tensor> prompts_PD,
                     std::span<const Row> rows,
                     Tensor x_ND) = 0;
};

/// FrozenWeights::bytes of what load_weights would give; blocks in a backend's memory are counted
/// where `source` is given.
size_t weight_bytes(const BackendTraits& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    WeightFormat format,
                    const TensorSource* source = nullptr);

/// Checks all tensors, and reads and converts what the format holds in memory. `ops` must outlive
/// the result, `source` one that is not kConverted.
std::unique_ptr<FrozenWeights> load_weights(Ops& ops,
                                            const TensorSource& source,
                                            const DecoderConfig& config,
                                            DType dtype,
                                            WeightFormat format = WeightFormat::kConverted);

}  // namespace prescript
