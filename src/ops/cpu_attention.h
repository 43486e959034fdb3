#pragma once
// Attention of the cpu backend: tiles of ops/cpu_kernels over the parts of a pass.

#include "ops/ops.h"

namespace prescript::cpu {

void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q_NHE,
               std::span<const KeyValues> sources,
               Tensor out_NHE,
               Tensor lse_NH);

void attention_input_gradient(const AttentionShape& shape,
                              std::span<const Part> parts,
                              Tensor q_NHE,
                              std::span<const KeyValues> sources,
                              Tensor out_NHE,
                              Tensor lse_NH,
                              Tensor dout_NHE,
                              Tensor dq_NHE,
                              std::span<const KeyValues> gradients);

}  // namespace prescript::cpu
