// attention_matrix.cu: attention by matrix instructions, bfloat16.
//   Maths      out = softmax(scale·q·kᵀ)·v over the keys that a row sees, one running maximum and
//              sum a row (online softmax), lse = natural log of the sum of the exponentials
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, out_NHE, k and v of a source [rows, K·E] bf16, 16-byte aligned rows; lse_NH
//              f32; E in {64, 80, 96, 128, 256}
//   Mapping    a block per (tile of folded rows, kv head): 4 warps of 32 rows (E = 256: 16), or for
//              few rows one warp of 16; K/V in steps of 64 keys (E = 256: 32), the next under way
//              while one is computed, scored by 32 where registers are short; S and P stay in
//              registers, P becomes the left operand of P·V as it lies
//   Traffic    q and out once; K/V once a tile, from L2 where tiles share it
//   Roofline   4·E·G FLOP a key and query ⇒ for 128 folded rows 128 FLOP a byte of K/V: bound by
//              the matrix units; few rows by the K/V they read
//   Measured   4096 causal rows, H 32, K 8, E 128: 467 µs, 294 TFLOP/s, 30 % of 989
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (docs/gpu)
//   Source     FlashAttention-2, arXiv 2307.08691

#include "cuda/attention_launch.h"
#include "cuda/attention_matrix.cuh"

namespace prescript::cuda {
namespace {

/// A block: kWarps warps of kRowTiles tiles of 16 rows, steps of kKeys keys.
template <int kE, int kTiles, int kNumWarps, int kStep>
struct ForwardShape {
  static constexpr int E = kE;
  static constexpr int kRowTiles = kTiles;
  static constexpr int kWarps = kNumWarps;
  static constexpr int kThreads = 32 * kWarps;
  static constexpr int kRows = kWarps * kRowTiles * 16;
  static constexpr int kKeys = kStep;
  // Q; K and V of two steps; the keys that rows see.
  static constexpr int kSharedBytes =
      (kRows + 4 * kKeys) * kTileStride<E> * static_cast<int>(sizeof(bf16)) +
      kWarps * static_cast<int>(sizeof(WarpKeys<kRowTiles * 16>));
};

template <int E>
using ManyRows = ForwardShape<E, (E <= 128 ? 2 : 1), 4, (E <= 128 ? 64 : 32)>;
template <int E>
using FewRows = ForwardShape<E, 1, 1, (E <= 128 ? 64 : 32)>;

/// Keys of a step that are scored at a time: all, unless registers for so many scores are wanting,
/// as in wide heads that are capped or compiled for an A100.
template <typename Shape, bool kIsCapped>
__device__ constexpr int keys_scored_at_once() {
  const bool has_registers = !kIsCapped && kArchitecture != 80;
  return Shape::E == 128 && Shape::kRowTiles == 2 && !has_registers ? 32 : Shape::kKeys;
}

/// The rows of a warp. Lane l holds of tile i rows l / 4 (half 0) and l / 4 + 8 (half 1), and of
/// every 8 columns the pair from l % 4 * 2 on.
template <typename Shape>
struct WarpState {
  static constexpr int kRowTiles = Shape::kRowTiles;

  float out[kRowTiles][Shape::E / 8][4] = {};
  float max[kRowTiles][2];
  float sum[kRowTiles][2] = {};  // of this lane's columns
};

template <typename Shape>
__device__ void copy_step(const AttentionWork& work,
                          const Steps<Shape::kKeys>& step,
                          int32_t kv_head,
                          bf16* stage) {
  copy_key_values<Shape::E, Shape::kKeys, Shape::kThreads>(
      work, step.group, step.begin, step.end, kv_head, stage);
}

/// Scores of keys that a row does not see become -inf.
template <typename Shape, int kScored>
__device__ __forceinline__ void hide(const WarpKeys<Shape::kRowTiles * 16>& warp_keys,
                                     int32_t first_key,
                                     int lane,
                                     float (&s)[Shape::kRowTiles][kScored / 8][4]) {
#pragma unroll
  for (int i = 0; i < Shape::kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const KeyRange keys = warp_keys.keys[i * 16 + half * 8 + lane / 4];
      const int32_t begin = keys.begin - first_key - lane % 4 * 2;
      const int32_t end = keys.end - first_key - lane % 4 * 2;
#pragma unroll
      for (int n = 0; n < kScored / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          const int32_t key = n * 8 + c;
          if (key < begin || key >= end) s[i][n][2 * half + c] = -INFINITY;
        }
      }
    }
  }
}

/// Scores become exp(score − maximum so far); what was summed up so far is scaled to it.
template <typename Shape, int kScored>
__device__ __forceinline__ void take_exponentials(WarpState<Shape>& state,
                                                  float factor,
                                                  float (&s)[Shape::kRowTiles][kScored / 8][4]) {
#pragma unroll
  for (int i = 0; i < Shape::kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float max = state.max[i][half];
#pragma unroll
      for (int n = 0; n < kScored / 8; ++n) {
        max = fmaxf(max, fmaxf(s[i][n][2 * half], s[i][n][2 * half + 1]));
      }
      max = fmaxf(max, __shfl_xor_sync(0xFFFFFFFFU, max, 1));
      max = fmaxf(max, __shfl_xor_sync(0xFFFFFFFFU, max, 2));
      const float base = quiet_exponent(max, factor);
      const float shrink = power_of_two(state.max[i][half] * factor - base);
      state.max[i][half] = max;
      float sum = state.sum[i][half] * shrink;
#pragma unroll
      for (int n = 0; n < kScored / 8; ++n) {
#pragma unroll
        for (int c = 0; c < 2; ++c) {
          float& x = s[i][n][2 * half + c];
          x = power_of_two(x * factor - base);
          sum += x;
        }
      }
      state.sum[i][half] = sum;
      if (shrink == 1) continue;  // most steps raise no maximum
#pragma unroll
      for (int n = 0; n < Shape::E / 8; ++n) {
        state.out[i][n][2 * half] *= shrink;
        state.out[i][n][2 * half + 1] *= shrink;
      }
    }
  }
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    forward(AttentionWork work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH) {
  constexpr int E = Shape::E;
  constexpr int kRowTiles = Shape::kRowTiles;
  constexpr int kKeys = Shape::kKeys;
  constexpr int kScored = keys_scored_at_once<Shape, kIsCapped>();
  constexpr int kStage = 2 * kKeys * kTileStride<E>;
  DYNAMIC_SHARED(shared);
  auto* const q_tile = reinterpret_cast<bf16*>(shared);         // [kRows, E]
  bf16* const stages = q_tile + Shape::kRows * kTileStride<E>;  // [2][K, V][kKeys, E]

  // Read again where it is needed, as registers are scarce.
  const QueryTile& tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const auto num_rows = static_cast<int32_t>(q_NHE.rows) * head.group_size;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_row = warp * kRowTiles * 16;
  WarpKeys<kRowTiles* 16>& warp_keys =
      reinterpret_cast<WarpKeys<kRowTiles * 16>*>(stages + 2 * kStage)[threadIdx.x / 32];

  // Scores are taken to powers of two; a capped score is in its own unit already.
  const float unit = kIsCapped ? 1 : work.scale;
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;

  WarpState<Shape> state;
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) state.max[i][0] = state.max[i][1] = -INFINITY;

  const Steps<kKeys> first(work, tile.first_group, tile.num_groups);
  warp_keys.keep(first, -1, lane);
  copy_folded<E, Shape::kRows, Shape::kThreads>(q_tile, q_NHE, head, tile.row_begin, num_rows);
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
#pragma unroll
    for (int scored = 0; scored < kKeys; scored += kScored) {
      const int32_t first_key = begin + scored;
      if (warp_keys.seen.none(first_key, first_key + kScored)) continue;
      const bf16* const k_tile = stages + parity * kStage + scored * kTileStride<E>;
      float s[kRowTiles][kScored / 8][4];
      multiply_rows<E, kRowTiles, kScored>(
          TileRows<E>(q_tile + warp_row * kTileStride<E>, lane), k_tile, lane, s);
      if (kIsCapped) {
#pragma unroll
        for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
          for (int n = 0; n < kScored / 8; ++n) {
#pragma unroll
            for (int c = 0; c < 4; ++c) s[i][n][c] = capped(s[i][n][c] * work.scale, work.cap);
          }
        }
      }
      if (!warp_keys.seen.all(first_key, first_key + kScored)) {
        hide<Shape, kScored>(warp_keys, first_key, lane, s);
      }
      take_exponentials<Shape, kScored>(state, factor, s);
      multiply_columns<E, kRowTiles, kScored, E>(
          s, k_tile + kKeys * kTileStride<E>, lane, state.out);
    }
  }

#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = state.sum[i][half];
      sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
      sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
      const int32_t row = tile.row_begin + warp_row + i * 16 + half * 8 + lane / 4;
      if (row >= num_rows) continue;
      // A piece of the keys may hold none that this row sees.
      const float inverse = sum == 0 ? 0.0F : 1 / sum;
      const float lse = sum == 0 ? -INFINITY : state.max[i][half] * unit + logf(sum);
      if (tile.slot < 0) {
        bf16* const to = head.row_of<bf16>(out_NHE, row) + lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < E / 8; ++n) {
          *reinterpret_cast<uint32_t*>(to + n * 8) = pack_bf16(
              state.out[i][n][2 * half] * inverse, state.out[i][n][2 * half + 1] * inverse);
        }
        if (lane % 4 == 0) head.number_of(lse_NH, row) = lse;
      } else {
        const int64_t place =
            partial_row(work, tile.slot, head.kv_head, Shape::kRows, row - tile.row_begin);
        float* const to = work.partial_out + place * E + lane % 4 * 2;
#pragma unroll
        for (int n = 0; n < E / 8; ++n) {
          to[n * 8] = state.out[i][n][2 * half] * inverse;
          to[n * 8 + 1] = state.out[i][n][2 * half + 1] * inverse;
        }
        if (lane % 4 == 0) work.partial_lse[place] = lse;
      }
    }
  }
}

template <typename Shape, bool kIsCapped>
void launch(const AttentionWork& work, Tensor q, Tensor out, Tensor lse, Stream stream) {
  LAUNCH((forward<Shape, kIsCapped>),
         dim3(work.num_query_tiles * work.num_kv_heads),
         dim3(Shape::kThreads),
         Shape::kSharedBytes,
         stream,
         work,
         q,
         out,
         lse);
}

template <int E, bool kIsCapped>
void launch(const AttentionWork& work, Tensor q, Tensor out, Tensor lse, Stream stream) {
  using Many = ManyRows<E>;
  static_assert(Many::kRows == query_tile_rows(AttentionKernels::kMatrix, E));
  static_assert(FewRows<E>::kRows == query_tile_rows(AttentionKernels::kMatrixFewRows, E));
  if (work.kernels == AttentionKernels::kMatrix) {
    launch<Many, kIsCapped>(work, q, out, lse, stream);
  } else {
    launch<FewRows<E>, kIsCapped>(work, q, out, lse, stream);
  }
}

}  // namespace

void attention_matrix(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream) {
  with_head_size(work.head_size, [&]<int E>() {
    if (work.cap == 0) {
      launch<E, false>(work, q_NHE, out_NHE, lse_NH, stream);
    } else {
      launch<E, true>(work, q_NHE, out_NHE, lse_NH, stream);
    }
  });
}

}  // namespace prescript::cuda
