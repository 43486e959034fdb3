#pragma once
// Products of rows with a frozen weight.

#include "ops/cpu_kernels.h"

namespace prescript::cpu {

// x and dy have the weight's dtype, which is float32 or bfloat16; y and dx have it too or are
// float32. Each element is a float32 sum in an order that depends on its length alone: a row's
// result does not depend on the rows beside it, nor on the number of threads.

/// y_NO = x_NI · weight_OIᵀ, or y += it.
void gemm(const GemmKernel& kernel, Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add);

/// dx_NI = dy_NO · weight_OI, or dx += it.
void gemm_input_gradient(
    const GemmKernel& kernel, Tensor dy_NO, Weight weight_OI, Tensor dx_NI, bool add);

}  // namespace prescript::cpu
