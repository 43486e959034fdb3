#include "ops/cpu_products.h"

#include <algorithm>

#include <ATen/Parallel.h>
#include <ATen/ops/_to_copy.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>

#include "ops/check.h"
#include "ops/cpu_gemm.h"
#include "ops/cpu_torch.h"

namespace prescript::cpu {
namespace {

// Rows of swiglu that a thread takes at a time: their float32 copies stay in its cache.
constexpr int64_t kSwigluRows = 16;

// Targets whose logits exist at a time: 128 rows of 50 000 float32 logits take 25 MB.
constexpr int64_t kTargetRows = 128;

// Terms of a sum over the vocabulary at a time: packed operands of this many stay in cache.
constexpr int64_t kVocabularyTerms = 1024;

void multiply(Tensor x, Tensor weight, WeightSide side, Tensor y, bool add) {
  if (x.rows > 0) gemm(gemm_kernel(x.dtype), x, weight, side, y, add);
}

Tensor view(const at::Tensor& x, DType dtype) {
  return {x.data_ptr(), dtype, x.size(0), x.size(1), x.stride(0)};
}

/// dhidden_TD = dlogits_TV · head_VD.
void head_input_gradient(Tensor dlogits_TV, Tensor head_VD, Tensor dhidden_TD) {
  const at::Tensor sum = at::zeros({dhidden_TD.rows, dhidden_TD.cols}, at::kFloat);
  for (int64_t begin = 0; begin < head_VD.rows; begin += kVocabularyTerms) {
    const int64_t terms = std::min(kVocabularyTerms, head_VD.rows - begin);
    multiply(dlogits_TV.col_range(begin, terms),
             head_VD.row_range(begin, terms),
             WeightSide::kColumns,
             view(sum, DType::kFloat32),
             true);
  }
  wrap(dhidden_TD).copy_(sum);
}

}  // namespace

void linear(Tensor x_NI, Tensor weight_OI, Tensor y_NO, bool add) {
  ops_check::linear("linear", x_NI, weight_OI, y_NO);
  multiply(x_NI, weight_OI, WeightSide::kRows, y_NO, add);
}

void linear_input_gradient(Tensor dy_NO, Tensor weight_OI, Tensor dx_NI) {
  ops_check::linear("linear_input_gradient", dx_NI, weight_OI, dy_NO);
  multiply(dy_NO, weight_OI, WeightSide::kColumns, dx_NI, false);
}

void swiglu(Tensor gate_up_N2F, Tensor h_NF) {
  ops_check::swiglu(gate_up_N2F, h_NF);
  at::parallel_for(0, h_NF.rows, kSwigluRows, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode guard;
    for (int64_t n = begin; n < end; n += kSwigluRows) {
      const int64_t rows = std::min(kSwigluRows, end - n);
      const Tensor block = gate_up_N2F.row_range(n, rows);
      const at::Tensor gate = wrap(block.col_range(0, h_NF.cols)).to(at::kFloat);
      at::Tensor h = wrap(h_NF.row_range(n, rows));
      h.copy_(at::silu(gate).mul_(wrap(block.col_range(h_NF.cols, h_NF.cols))));
    }
  });
}

void swiglu_input_gradient(Tensor gate_up_N2F, Tensor dh_NF, Tensor d_gate_up_N2F) {
  ops_check::swiglu_input_gradient(gate_up_N2F, dh_NF, d_gate_up_N2F);
  const int64_t F = dh_NF.cols;
  at::parallel_for(0, dh_NF.rows, kSwigluRows, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode guard;
    for (int64_t n = begin; n < end; n += kSwigluRows) {
      const int64_t rows = std::min(kSwigluRows, end - n);
      const Tensor block = gate_up_N2F.row_range(n, rows);
      const Tensor d_block = d_gate_up_N2F.row_range(n, rows);
      const at::Tensor gate = wrap(block.col_range(0, F)).to(at::kFloat);
      const at::Tensor up = wrap(block.col_range(F, F)).to(at::kFloat);
      const at::Tensor dh = wrap(dh_NF.row_range(n, rows)).to(at::kFloat);
      const at::Tensor s = at::sigmoid(gate);
      const at::Tensor d_gate = dh * up * s * (1 + gate * (1 - s));
      const at::Tensor d_up = dh * gate * s;
      // Written only now: the output may be the input.
      wrap(d_block.col_range(0, F)).copy_(d_gate);
      wrap(d_block.col_range(F, F)).copy_(d_up);
    }
  });
}

void cross_entropy(Tensor hidden_TD,
                   Tensor head_VD,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs_T,
                   Tensor dhidden_TD) {
  ops_check::cross_entropy(hidden_TD, head_VD, token_ids, weights, log_probs_T, dhidden_TD);
  const c10::InferenceMode guard;
  for (int64_t begin = 0; begin < hidden_TD.rows; begin += kTargetRows) {
    const int64_t rows = std::min(kTargetRows, hidden_TD.rows - begin);
    at::Tensor logits = at::empty({rows, head_VD.rows}, at::kFloat);
    multiply(hidden_TD.row_range(begin, rows),
             head_VD,
             WeightSide::kRows,
             view(logits, DType::kFloat32),
             false);
    const at::Tensor lse = at::logsumexp(logits, 1, /*keepdim=*/true);
    for (int64_t t = 0; t < rows; ++t) {
      log_probs_T.row<float>(0)[begin + t] =
          logits.data_ptr<float>()[t * head_VD.rows + token_ids[begin + t]] -
          lse.data_ptr<float>()[t];
    }
    if (dhidden_TD.data == nullptr) continue;
    logits.sub_(lse).exp_();  // from here on the gradient of the logits, in place
    const at::Tensor weight = at::from_blob(const_cast<float*>(weights.data()) + begin,
                                            {rows, 1},
                                            at::TensorOptions().dtype(at::kFloat));
    logits.mul_(weight);
    for (int64_t t = 0; t < rows; ++t) {
      logits.data_ptr<float>()[t * head_VD.rows + token_ids[begin + t]] -= weights[begin + t];
    }
    const at::Tensor dlogits = logits.to(scalar_type(head_VD.dtype));
    head_input_gradient(view(dlogits, head_VD.dtype), head_VD, dhidden_TD.row_range(begin, rows));
  }
}

void logits(Tensor hidden_ND, Tensor head_VD, Tensor logits_NV) {
  ops_check::logits(hidden_ND, head_VD, logits_NV);
  multiply(hidden_ND, head_VD, WeightSide::kRows, logits_NV, false);
}

}  // namespace prescript::cpu
