#pragma once
// The cpu backend's products with frozen weights, the feed-forward's activation and the head.

#include "ops/ops.h"

namespace prescript::cpu {

void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add);
void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI);
void swiglu(Tensor gate_up_N2F, Tensor h_NF);
void swiglu_input_gradient(Tensor gate_up_N2F, Tensor dh_NF, Tensor d_gate_up_N2F);
void cross_entropy(Tensor hidden_TD,
                   const WeightRows& head_VD,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs_T,
                   Tensor dhidden_TD);
void logits(Tensor hidden_ND, const WeightRows& head_VD, Tensor logits_NV);

}  // namespace prescript::cpu
