#pragma once
// The cpu backend's feed-forward activation.

#include "ops/ops.h"

namespace prescript::cpu {

void activate(Activation f, Tensor x, Tensor h_NF);
void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx);

}  // namespace prescript::cpu
