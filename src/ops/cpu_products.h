#pragma once
// LibTorch's products and vectorised functions over our views: the only part of the cpu backend
// that includes LibTorch's large headers.

#include "ops/ops.h"

namespace prescript::cpu {

void linear(Tensor x_NI, Tensor weight_OI, Tensor y_NO, bool add);
void linear_input_gradient(Tensor dy_NO, Tensor weight_OI, Tensor dx_NI);
void swiglu(Tensor gate_up_N2F, Tensor h_NF);
void swiglu_input_gradient(Tensor gate_up_N2F, Tensor dh_NF, Tensor d_gate_up_N2F);
void cross_entropy(Tensor hidden_TD,
                   Tensor head_VD,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs_T,
                   Tensor dhidden_TD);
void logits(Tensor hidden_ND, Tensor head_VD, Tensor logits_NV);

}  // namespace prescript::cpu
