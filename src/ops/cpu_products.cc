#include "ops/cpu_products.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/aligned.h"
#include "ops/check.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_gemm.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_rows.h"

namespace prescript::cpu {
namespace {

// Targets whose logits exist at a time: 128 rows of 50 000 float32 logits take 25 MB.
constexpr int64_t kTargetRows = 128;

/// log Σ exp x, not a number where one of x is none. Partial sums are of kLanes columns of kBlock
/// elements.
PRESCRIPT_WIDEST float log_sum_exp(const float* x, int64_t size) {
  constexpr int64_t kBlock = 64 * kLanes;
  const int64_t whole = size / kLanes * kLanes;
  LaneMaxima maxima(-std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < whole; i += kLanes) maxima.add(x + i);
  float max = maxima.largest();
  for (int64_t i = whole; i < size; ++i) max = std::max(max, x[i]);
  float lanes[kLanes];
  double sum = 0;
  for (int64_t begin = 0; begin < whole; begin += kBlock) {
    std::fill_n(lanes, kLanes, 0.0F);
    for (int64_t i = begin; i < std::min(whole, begin + kBlock); i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) lanes[k] += exponential(x[i + k] - max);
    }
    for (const float lane : lanes) sum += lane;
  }
  for (int64_t i = whole; i < size; ++i) sum += exponential(x[i] - max);
  return max + static_cast<float>(std::log(sum));
}

/// What becomes of a row of logits.
struct RowLoss {
  float lse;
  float weight;
  int32_t target;
  float inverse_cap;  // 0 where there is none
};

/// The gradient of −weight·log softmax(logits)[target] at the logits before the cap. It may stand
/// where the logits do.
template <typename T>
PRESCRIPT_WIDEST void logits_gradient(const float* logits,
                                      RowLoss loss,
                                      int64_t size,
                                      T* gradient) {
  const float target_ratio = logits[loss.target] * loss.inverse_cap;
  const float of_target = loss.weight * (exponential(logits[loss.target] - loss.lse) - 1) *
                          (1 - target_ratio * target_ratio);
#pragma GCC ivdep
  for (int64_t i = 0; i < size; ++i) {
    const float ratio = logits[i] * loss.inverse_cap;
    store(loss.weight * exponential(logits[i] - loss.lse) * (1 - ratio * ratio), gradient[i]);
  }
  store(of_target, gradient[loss.target]);
}

PRESCRIPT_WIDEST void cap_row(float cap, int64_t size, float* logits) {
  for (int64_t i = 0; i < size; ++i) logits[i] = capped(logits[i], cap, 1 / cap);
}

/// The float32 gradient of the head's input.
void logits_input_gradient(Tensor dlogits_NV, const WeightRows& head_VD, Tensor dhidden_ND) {
  head_VD.for_ranges([&](int64_t begin, const Weight& rows) {
    gemm_input_gradient(gemm_kernel(dlogits_NV.dtype),
                        dlogits_NV.col_range(begin, rows.rows),
                        rows,
                        dhidden_ND,
                        begin > 0);
  });
}

}  // namespace

void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) {
  ops_check::linear("linear", x_NI, weight_OI, y_NO);
  gemm(gemm_kernel(x_NI.dtype), x_NI, weight_OI, y_NO, add);
}

void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) {
  ops_check::linear("linear_input_gradient", dx_NI, weight_OI, dy_NO);
  gemm_input_gradient(gemm_kernel(dy_NO.dtype), dy_NO, weight_OI, dx_NI, false);
}

void cross_entropy(Tensor hidden_TD,
                   const WeightRows& head_VD,
                   double cap,
                   std::span<const int32_t> token_ids,
                   std::span<const float> weights,
                   Tensor log_probs_T,
                   Tensor dhidden_TD) {
  ops_check::cross_entropy(hidden_TD, head_VD.shape(), token_ids, weights, log_probs_T, dhidden_TD);
  const int64_t V = head_VD.shape().rows;
  const int64_t max_rows = std::min(kTargetRows, hidden_TD.rows);
  const bool is_narrow = hidden_TD.dtype == DType::kBFloat16;
  thread_local Scratch logits_scratch;
  thread_local Scratch gradient_scratch;
  thread_local Scratch sums_scratch;
  float* const block = logits_scratch.take<float>(max_rows * V);
  uint16_t* const narrow = gradient_scratch.take<uint16_t>(is_narrow ? max_rows * V : 0);
  float* const sums = sums_scratch.take<float>(is_narrow ? max_rows * hidden_TD.cols : 0);
  for (int64_t begin = 0; begin < hidden_TD.rows; begin += kTargetRows) {
    const int64_t rows = std::min(kTargetRows, hidden_TD.rows - begin);
    const Tensor logits{block, DType::kFloat32, rows, V, V};
    Tensor gradient = logits;  // of the logits, in their place
    if (is_narrow) gradient = {narrow, DType::kBFloat16, rows, V, V};
    cpu::logits(hidden_TD.row_range(begin, rows), head_VD, cap, logits);
    parallel_for(0, rows, 1, [&](int64_t first, int64_t last) {
      for (int64_t t = first; t < last; ++t) {
        const float* const row = logits.row<float>(t);
        const int32_t target = token_ids[begin + t];
        const float lse = log_sum_exp(row, V);
        log_probs_T.row<float>(0)[begin + t] = row[target] - lse;
        if (dhidden_TD.data == nullptr) continue;
        const auto inverse_cap = static_cast<float>(cap == 0 ? 0 : 1 / cap);
        const RowLoss loss{lse, weights[begin + t], target, inverse_cap};
        if (gradient.dtype == DType::kFloat32) {
          logits_gradient(row, loss, V, gradient.row<float>(t));
        } else {
          logits_gradient(row, loss, V, gradient.row<uint16_t>(t));
        }
      }
    });
    if (dhidden_TD.data == nullptr) continue;
    const Tensor dhidden = dhidden_TD.row_range(begin, rows);
    Tensor total = dhidden;
    if (is_narrow) total = {sums, DType::kFloat32, rows, dhidden.cols, dhidden.cols};
    logits_input_gradient(gradient, head_VD, total);
    if (is_narrow) copy(total, dhidden);
  }
}

void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV) {
  ops_check::logits(hidden_ND, head_VD.shape(), logits_NV);
  head_VD.for_ranges([&](int64_t begin, const Weight& rows) {
    gemm(gemm_kernel(hidden_ND.dtype),
         hidden_ND,
         rows,
         logits_NV.col_range(begin, rows.rows),
         false);
  });
  if (cap == 0) return;
  parallel_for(0, logits_NV.rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      cap_row(static_cast<float>(cap), logits_NV.cols, logits_NV.row<float>(n));
    }
  });
}

}  // namespace prescript::cpu
