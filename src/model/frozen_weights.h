#pragma once
// The frozen weights of a decoder in the compute dtype and the layout the layer function reads.

#include <vector>

#include "io/tensor_source.h"
#include "model/decoder_config.h"
#include "ops/ops.h"

namespace prescript {

/// One layer. Projections are [out, in]; query, key and value are one product, gate and up another.
struct LayerWeights {
  Tensor attention_norm_D;
  Weight qkv_weight;        // [(H + 2K)·E, D]; in the last layer the two below instead,
  Weight query_weight;      // [H·E, D], of the rows that lead to an output, and
  Weight key_value_weight;  // [2K·E, D], of all
  Weight output_weight;     // [D, H·E]
  Tensor ffn_norm_D;
  Weight gate_up_weight;  // [2F, D]
  Weight down_weight;     // [D, F]
};

/// Immutable after loading; one copy of every weight, in one block.
struct FrozenWeights {
  DType dtype = DType::kFloat32;
  Weight embedding_VD;
  std::vector<LayerWeights> layers;
  Tensor final_norm_D;
  Weight head_VD;  // the embedding itself where the head is tied
  Buffer block;
  size_t bytes = 0;
};

/// Bytes that load_weights takes.
size_t weight_bytes(const DecoderConfig& config, DType dtype);

/// Throws InputError(kModel) with the source's path for a tensor that is missing, extra (a bias,
/// say), misshapen, or stored in a type that cannot be read. Reads no weight.
void check_weights(const TensorSource& source, const DecoderConfig& config);

/// Checks, reads and converts all weights. GGUF stores the rows of llama's query and key
/// projections in interleaved rotary order: they are put back into the half-split order.
FrozenWeights load_weights(Ops& ops,
                           const TensorSource& source,
                           const DecoderConfig& config,
                           DType dtype);

}  // namespace prescript
