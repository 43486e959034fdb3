#pragma once
// The cpu backend's operations on single rows: plain loops, float32 inside whatever the dtype
// outside.

#include "ops/ops.h"

namespace prescript::cpu {

void zero(Tensor x);
void copy(Tensor x, Tensor y);
void embed(Weight embedding_VD,
           double scale,
           std::span<const Tensor> prompts_PD,
           std::span<const Row> rows,
           Tensor x_ND);
void embed_input_gradient(Tensor dx_ND,
                          std::span<const Row> rows,
                          std::span<const Tensor> gradients_PD);
void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add);
void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND);
void add_row(Tensor row_D, Tensor y_ND);
void rms_norm(Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add);
void rms_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND);
void layer_norm(
    Tensor x_ND, Tensor weight_D, Tensor bias_D, double epsilon, Tensor y_ND, Tensor statistics_2N);
void layer_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND);
void rotary(Tensor x,
            int64_t head_size,
            std::span<const int32_t> positions,
            Tensor cos,
            Tensor sin,
            bool inverse);

}  // namespace prescript::cpu
