// attention_matrix_query_gradient.cu: dQ of attention by matrix instructions, bfloat16.
//   Maths      P = exp(S − lse), dS = P∘(dout·Vᵀ − projection), dQ = scale·dS·K; where scores are
//              capped, dS times 1 − (S / cap)²      Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, dout_NHE, k, v bf16, 16-byte aligned rows; lse_NH, projection_NH, dq_NHE f32
//   Mapping    as the forward, with steps of 32 keys: S, dout·Vᵀ and dQ all stay in registers.
//              Every dQ is written by one thread: no atomics, and P is recomputed once more by the
//              kernel of dK and dV
//   Traffic    q, dout and dq once; K/V once a tile
//   Roofline   6·E FLOP a query, head and key: bound by the matrix units
//   Measured   dQ, dK and dV of 4096 causal rows, H 32, K 8, E 128, together: 2351 µs, 146 TFLOP/s
//              by the five products that are needed, 15 % of 989
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (docs/gpu)
//   Source     FlashAttention-2, arXiv 2307.08691, section 3.1

#include "cuda/attention_launch.h"
#include "cuda/attention_matrix.cuh"

namespace prescript::cuda {
namespace {

template <int kE>
struct QueryGradientShape {
  static constexpr int E = kE;
  static constexpr int kRowTiles = E <= 128 ? 2 : 1;
  static constexpr int kWarps = 4;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kRows = kWarps * kRowTiles * 16;
  static constexpr int kKeys = E <= 128 ? 32 : 16;
  // Q and dout; K and V of two steps; the keys that rows see.
  static constexpr int kSharedBytes =
      (2 * kRows + 4 * kKeys) * kTileStride<E> * static_cast<int>(sizeof(bf16)) +
      kWarps * static_cast<int>(sizeof(WarpKeys<kRowTiles * 16>));
};

/// dS of scores S and of dout·Vᵀ, in place of the latter.
template <typename Shape, bool kIsMasked, bool kIsCapped>
__device__ __forceinline__ void differentiate(
    const AttentionWork& work,
    const WarpKeys<Shape::kRowTiles * 16>& warp_keys,
    int32_t first_key,
    int lane,
    const float (&lse)[Shape::kRowTiles][2],  // in powers of two
    const float (&projection)[Shape::kRowTiles][2],
    const float (&s)[Shape::kRowTiles][Shape::kKeys / 8][4],
    float (&ds)[Shape::kRowTiles][Shape::kKeys / 8][4]) {
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;
  const float inverse_cap = kIsCapped ? 1 / work.cap : 0;
#pragma unroll
  for (int i = 0; i < Shape::kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      KeyRange keys{};  // counted from the lane's first
      if (kIsMasked) {
        keys = warp_keys.keys[i * 16 + half * 8 + lane / 4];
        keys.begin -= first_key + lane % 4 * 2;
        keys.end -= first_key + lane % 4 * 2;
      }
#pragma unroll
      for (int n = 0; n < Shape::kKeys / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float score = s[i][n][2 * half + c];
          float slope = 1;
          if (kIsCapped) {
            score = capped(score * work.scale, work.cap);
            const float ratio = score * inverse_cap;
            slope = 1 - ratio * ratio;
          }
          const float p = power_of_two(score * factor - lse[i][half]);
          float& x = ds[i][n][2 * half + c];
          x = p * (x - projection[i][half]) * slope;
          const int32_t key = n * 8 + c;
          if (kIsMasked && (key < keys.begin || key >= keys.end)) x = 0;
        }
      }
    }
  }
}

template <typename Shape>
__device__ void copy_step(const AttentionWork& work,
                          const Steps<Shape::kKeys>& step,
                          int32_t kv_head,
                          bf16* stage) {
  copy_key_values<Shape::E, Shape::kKeys, Shape::kThreads>(
      work, step.group, step.begin, step.end, kv_head, stage);
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    query_gradient(AttentionWork work, AttentionGradient gradient, Tensor dq_NHE) {
  constexpr int E = Shape::E;
  constexpr int kRowTiles = Shape::kRowTiles;
  constexpr int kKeys = Shape::kKeys;
  constexpr int kStage = 2 * kKeys * kTileStride<E>;
  DYNAMIC_SHARED(shared);
  auto* const q_tile = reinterpret_cast<bf16*>(shared);            // [kRows, E]
  bf16* const dout_tile = q_tile + Shape::kRows * kTileStride<E>;  // [kRows, E]
  bf16* const stages = dout_tile + Shape::kRows * kTileStride<E>;  // [2][K, V][kKeys, E]

  // Read again where it is needed, as registers are scarce.
  const QueryTile& tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const auto num_rows = static_cast<int32_t>(dq_NHE.rows) * head.group_size;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * kRowTiles * 16;
  WarpKeys<kRowTiles* 16>& warp_keys =
      reinterpret_cast<WarpKeys<kRowTiles * 16>*>(stages + 2 * kStage)[threadIdx.x / 32];

  float dq[kRowTiles][E / 8][4] = {};
  float lse[kRowTiles][2] = {};
  float projection[kRowTiles][2] = {};
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = tile.row_begin + warp_row + i * 16 + half * 8 + lane / 4;
      if (row >= num_rows) continue;
      lse[i][half] = head.number_of(gradient.lse_NH, row) * kLog2E;
      projection[i][half] = head.number_of(gradient.projection_NH, row);
    }
  }

  const Steps<kKeys> first(work, tile.first_group, tile.num_groups);
  warp_keys.keep(first, -1, lane);
  copy_folded<E, Shape::kRows, Shape::kThreads>(
      q_tile, gradient.q_NHE, head, tile.row_begin, num_rows);
  copy_folded<E, Shape::kRows, Shape::kThreads>(
      dout_tile, gradient.dout_NHE, head, tile.row_begin, num_rows);
  if (!first.is_done()) copy_step<Shape>(work, first, head.kv_head, stages);
  copy_async_commit();
  for (int parity = 0;; parity ^= 1) {
    copy_async_wait<0>();
    __syncthreads();
    Steps<kKeys> next(warp_keys, tile);
    if (next.is_done()) break;
    const int32_t group = next.group;
    const int32_t begin = next.begin;
    next.advance(work);
    if (!next.is_done()) {
      copy_step<Shape>(work, next, head.kv_head, stages + (parity ^ 1) * kStage);
    }
    copy_async_commit();
    const int32_t known_group = warp_keys.known_group;
    warp_keys.keep(next, group, lane);
    if (group != known_group) {
      warp_keys.find(work, group, head, tile.row_begin + warp_row, num_rows, lane);
    }
    if (warp_keys.seen.none(begin, begin + kKeys)) continue;

    const bf16* const k_tile = stages + parity * kStage;
    float s[kRowTiles][kKeys / 8][4];
    float ds[kRowTiles][kKeys / 8][4];
    multiply_rows<E, kRowTiles, kKeys>(
        TileRows<E>(q_tile + warp_row * kTileStride<E>, lane), k_tile, lane, s);
    multiply_rows<E, kRowTiles, kKeys>(TileRows<E>(dout_tile + warp_row * kTileStride<E>, lane),
                                       k_tile + kKeys * kTileStride<E>,
                                       lane,
                                       ds);
    if (warp_keys.seen.all(begin, begin + kKeys)) {
      differentiate<Shape, false, kIsCapped>(work, warp_keys, begin, lane, lse, projection, s, ds);
    } else {
      differentiate<Shape, true, kIsCapped>(work, warp_keys, begin, lane, lse, projection, s, ds);
    }
    multiply_columns<E, kRowTiles, kKeys, E>(ds, k_tile, lane, dq);
  }

#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t row = tile.row_begin + warp_row + i * 16 + half * 8 + lane / 4;
      if (row >= num_rows) continue;
      float* const to = head.row_of<float>(dq_NHE, row) + lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        *reinterpret_cast<float2*>(to + n * 8) = {dq[i][n][2 * half] * work.scale,
                                                  dq[i][n][2 * half + 1] * work.scale};
      }
    }
  }
}

}  // namespace

void attention_matrix_query_gradient(const AttentionWork& work,
                                     const AttentionGradient& gradient,
                                     Tensor dq_NHE,
                                     Stream stream) {
  with_head_size(work.head_size, [&]<int E>() {
    using Shape = QueryGradientShape<E>;
    static_assert(Shape::kRows == query_tile_rows(AttentionKernels::kMatrix, E));
    const auto kernel = work.cap == 0 ? query_gradient<Shape, false> : query_gradient<Shape, true>;
    LAUNCH(kernel,
           dim3(work.num_query_tiles * work.num_kv_heads),
           dim3(Shape::kThreads),
           Shape::kSharedBytes,
           stream,
           work,
           gradient,
           dq_NHE);
  });
}

}  // namespace prescript::cuda
