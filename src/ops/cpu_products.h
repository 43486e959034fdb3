#pragma once
// The cpu backend's products with frozen weights, and the head.

#include "ops/ops.h"

namespace prescript::cpu {

void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add);
void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI);
void cross_entropy(Tensor hidden_TD,
                   const WeightRows& head_VD,
                   double cap,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs_T,
                   Tensor dhidden_TD);
void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV);

}  // namespace prescript::cpu
