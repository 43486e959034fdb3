#pragma once
// The decoder's operations as LibTorch's own operators, differentiated by autograd: the oracle of
// every backend in float64, and in bfloat16 the error that one may expect.

#include <cstdint>
#include <vector>

#include "ops/ops.h"
#include "support/matrix.h"

namespace prescript::plain {

struct Result {
  Matrix out;
  std::vector<Matrix> gradients;  // of Σ out∘dout, for each activation (weights are frozen)
};

Result linear(DType dtype, const Matrix& x_NI, const Matrix& weight_OI, const Matrix& dout_NO);

Matrix add_row(DType dtype, const Matrix& row_D, const Matrix& y_ND);

/// Of each group of weight_D's size. float32 inside whatever is narrower, as transformers computes
/// it.
Result rms_norm(
    DType dtype, const Matrix& x_ND, const Matrix& weight_D, double epsilon, const Matrix& dout_ND);

Result layer_norm(DType dtype,
                  const Matrix& x_ND,
                  const Matrix& weight_D,
                  const Matrix& bias_D,
                  double epsilon,
                  const Matrix& dout_ND);

/// transformers' rotate_half, by tables [positions, pairs], of the first elements of each head.
Result rotary(DType dtype,
              const Matrix& x,
              int64_t head_size,
              const std::vector<int32_t>& positions,
              const Matrix& cos,
              const Matrix& sin,
              const Matrix& dout);

/// Scaled dot-product attention, its scores capped, of all queries to all keys under a mask, K/V
/// repeated for each head of a group. Gradients of q, k, v. Row n, column m of `is_seen` says
/// whether query n sees key m.
Result attention(DType dtype,
                 const AttentionShape& shape,
                 const Matrix& q_NHE,
                 const Matrix& k_MKE,
                 const Matrix& v_MKE,
                 const Matrix& is_seen,
                 const Matrix& dout_NHE);

/// Natural-log log-sum-exp [N, H] of the scaled scores, in float64.
Matrix log_sum_exp(const AttentionShape& shape,
                   const Matrix& q_NHE,
                   const Matrix& k_MKE,
                   const Matrix& is_seen);

/// x holds gate and up side by side, or has as many columns as dout.
Result activate(DType dtype, Activation f, const Matrix& x, const Matrix& dout_NF);

/// Of hidden_ND · head_VDᵀ, capped where `cap` is not 0.
Matrix logits(DType dtype, const Matrix& hidden_ND, const Matrix& head_VD, double cap);

/// out [1, T]; the gradient is that of −Σ weight·log_prob. Logits in `dtype`, the loss in float32
/// at least.
Result cross_entropy(DType dtype,
                     const Matrix& hidden_TD,
                     const Matrix& head_VD,
                     double cap,
                     const std::vector<int32_t>& token_ids,
                     const std::vector<float>& weights);

}  // namespace prescript::plain
