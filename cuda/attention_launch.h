#pragma once
// The launchers of the attention kernels by themselves; cuda/attention.cu chooses among them.

#include "cuda/kernels.h"

namespace prescript::cuda {

/// What the input gradient reads; `projection_NH` is rowsum(dout ∘ out).
struct AttentionGradient {
  Tensor q_NHE;
  Tensor lse_NH;
  Tensor dout_NHE;
  Tensor projection_NH;
};

void attention_plain(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream);
void attention_plain_query_gradient(const AttentionWork& work,
                                    const AttentionGradient& gradient,
                                    Tensor dq_NHE,
                                    Stream stream);
void attention_plain_key_gradient(const AttentionWork& work,
                                  const AttentionGradient& gradient,
                                  Stream stream);

void attention_matrix(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream);
void attention_matrix_query_gradient(const AttentionWork& work,
                                     const AttentionGradient& gradient,
                                     Tensor dq_NHE,
                                     Stream stream);
void attention_matrix_key_gradient(const AttentionWork& work,
                                   const AttentionGradient& gradient,
                                   Stream stream);

void attention_warpgroup(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream);
void attention_warpgroup_query_gradient(const AttentionWork& work,
                                        const AttentionGradient& gradient,
                                        Tensor dq_NHE,
                                        Stream stream);
void attention_warpgroup_key_gradient(const AttentionWork& work,
                                      const AttentionGradient& gradient,
                                      Stream stream);

/// Calls `launch` with the head size as a constant.
template <typename Launch>
void with_head_size(int32_t head_size, const Launch& launch) {
  switch (head_size) {
    case 64:
      return launch.template operator()<64>();
    case 80:
      return launch.template operator()<80>();
    case 96:
      return launch.template operator()<96>();
    case 128:
      return launch.template operator()<128>();
    case 256:
      return launch.template operator()<256>();
    default:
      return;  // has_matrix_kernels() is false
  }
}

template <typename Launch>
void with_warpgroup_head_size(int32_t head_size, const Launch& launch) {
  if (head_size == 64) {
    launch.template operator()<64>();
  } else {
    launch.template operator()<128>();
  }
}

}  // namespace prescript::cuda
