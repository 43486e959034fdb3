#include "ops/cpu_attention_merge.h"

#include <cmath>

#include <immintrin.h>

#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_rows.h"

namespace prescript::cpu {
namespace {

constexpr int64_t kGrain = 16;  // rows

template <typename T>
void finish_row(int64_t n, const AttentionShape& shape, const Merged& m, Tensor out, Tensor lse) {
  const int64_t E = shape.head_size;
  for (int64_t h = 0; h < shape.num_heads; ++h) {
    const float sum = m.sum_NH.row<float>(n)[h];
    const float factor = 1 / sum;
    const float* const from = m.out_NHE.row<float>(n) + h * E;
    T* const to = out.row<T>(n) + h * E;
    for (int64_t e = 0; e < E; ++e) store(from[e] * factor, to[e]);
    lse.row<float>(n)[h] = m.max_NH.row<float>(n)[h] * kLn2 + std::log(sum);
  }
}

}  // namespace

Merged start_merging(const AttentionShape& shape, int64_t num_rows, Scratch& memory) {
  const int64_t H = shape.num_heads;
  const int64_t HE = H * shape.head_size;
  float* const block = memory.take<float>(num_rows * (HE + 2 * H));
  float* const maxima = block + num_rows * HE;
  float* const sums = maxima + num_rows * H;
  const Merged merged{{block, DType::kFloat32, num_rows, HE, HE},
                      {maxima, DType::kFloat32, num_rows, H, H},
                      {sums, DType::kFloat32, num_rows, H, H}};
  zero(merged.out_NHE);
  zero(merged.sum_NH);
  std::fill_n(maxima, num_rows * H, kHidden);
  return merged;
}

PRESCRIPT_WIDEST RowSum exponentials(float* scores, int64_t chunks, int64_t cols, int64_t stride) {
  LaneMaxima maxima(kHidden);
  for (int64_t j = 0; j < chunks; ++j) {
    for (int64_t c = 0; c < cols; c += kLanes) maxima.add(scores + j * stride + c);
  }
  const float max = maxima.largest();
  const float shift = max == kHidden ? 0 : max;  // of a row that sees no key
  float lanes[kLanes] = {};
  for (int64_t j = 0; j < chunks; ++j) {
    for (int64_t c = 0; c < cols; c += kLanes) {
      float* const s = scores + j * stride + c;
      for (int64_t k = 0; k < kLanes; ++k) {
        s[k] = power_of_two(s[k] - shift);
        lanes[k] += s[k];
      }
    }
  }
  return {max, sum_of_lanes(lanes)};
}

PRESCRIPT_AVX2 void merge(
    const PartHead& head, int64_t r, const float* out, int64_t stride, RowSum row, Merged merged) {
  if (row.max == kHidden) return;
  float& max = head.of_query_head(merged.max_NH, r);
  float& sum = head.of_query_head(merged.sum_NH, r);
  const float both = std::max(max, row.max);
  const float before = power_of_two(max - both);
  const float here = power_of_two(row.max - both);
  float* const to = head.query<float>(merged.out_NHE, r);
  add_chunks(head.kernel(), out, stride, head.E(), before, here, to);
  sum = sum * before + row.sum * here;
  max = both;
}

void finish_merging(const AttentionShape& shape, const Merged& merged, Tensor out, Tensor lse) {
  parallel_for(0, out.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (out.dtype == DType::kFloat32) {
        finish_row<float>(n, shape, merged, out, lse);
      } else {
        finish_row<uint16_t>(n, shape, merged, out, lse);
      }
    }
  });
}

}  // namespace prescript::cpu
