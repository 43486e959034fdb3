#pragma once
// Products of tiles in shared memory by matrix instructions, bfloat16 with float32 sums. Rows of a
// tile are E + 8 elements apart: the eight 16-byte rows that ldmatrix reads at a time lie an odd
// number of 16-byte units apart, so that no two share a bank.

#include "cuda/attention_tile.cuh"

namespace prescript::cuda {

template <int E>
constexpr int kTileStride = E + 8;

/// The 16-byte units of a tile's rows, divided among threads: a thread has one unit of every
/// kStep-th row.
template <int E, int kThreads>
struct CopiedUnits {
  static constexpr int kUnits = E / 8;
  static constexpr int kStep = kThreads / kUnits;
  static constexpr int kNoRow = 1 << 12;  // behind any tile: the thread has none

  int first_row;
  int col;

  __device__ CopiedUnits()
      : first_row(static_cast<int>(threadIdx.x) / kUnits),
        col(static_cast<int>(threadIdx.x) % kUnits * 8) {
    if (kThreads % kUnits != 0 && first_row >= kStep) first_row = kNoRow;
  }
};

/// Starts to copy kRows rows of x from `begin` on; rows from `end` on become zeros.
template <int E, int kRows, int kThreads>
__device__ void copy_keys(bf16* tile, const void* x, int64_t stride, int32_t begin, int32_t end) {
  using Units = CopiedUnits<E, kThreads>;
  const Units units;
  const bf16* from = static_cast<const bf16*>(x) + (begin + units.first_row) * stride + units.col;
  bf16* to = tile + units.first_row * kTileStride<E> + units.col;
#pragma unroll 2
  for (int row = units.first_row; row < kRows; row += Units::kStep) {
    const bool exists = begin + row < end;
    copy_async_16(to, exists ? from : x, exists);
    from += Units::kStep * stride;
    to += Units::kStep * kTileStride<E>;
  }
}

/// The same for a step of kKeys keys of a group: K, and behind it V.
template <int E, int kKeys, int kThreads>
__device__ void copy_key_values(const AttentionWork& work,
                                int32_t group,
                                int32_t begin,
                                int32_t end,
                                int32_t kv_head,
                                bf16* stage) {
  const AttentionSource& source = work.sources[work.groups[group].source];
  const int64_t head = int64_t{kv_head} * E;
  copy_keys<E, kKeys, kThreads>(
      stage, static_cast<const bf16*>(source.k) + head, source.k_stride, begin, end);
  copy_keys<E, kKeys, kThreads>(stage + kKeys * kTileStride<E>,
                                static_cast<const bf16*>(source.v) + head,
                                source.v_stride,
                                begin,
                                end);
}

/// The same for folded rows of x_NHE.
template <int E, int kRows, int kThreads>
__device__ void copy_folded(
    bf16* tile, const Tensor& x, const FoldedHead& head, int32_t begin, int32_t end) {
  using Units = CopiedUnits<E, kThreads>;
  const Units units;
#pragma unroll 2
  for (int row = units.first_row; row < kRows; row += Units::kStep) {
    const bool exists = begin + row < end;
    const bf16* const from = head.row_of<bf16>(x, begin + row) + units.col;
    copy_async_16(tile + row * kTileStride<E> + units.col, exists ? from : x.data, exists);
  }
}

/// cap · tanh(x / cap) to some 2^-23 of the cap, which is far below a score's rounding to bfloat16.
__device__ __forceinline__ float capped(float x, float cap) {
  return cap - __fdividef(2 * cap, power_of_two(x * (2 * kLog2E / cap)) + 1);
}

/// Left operands, 16 rows each, as they lie in a tile.
template <int E>
struct TileRows {
  static constexpr int kUnroll = 4;  // of E / 16: of more, loads come so early that registers spill
  const bf16* lane_row;

  __device__ TileRows(const bf16* rows, int lane)
      : lane_row(rows + (lane % 16) * kTileStride<E> + (lane / 16) * 8) {}
  __device__ void load(uint32_t (&a)[4], int row_tile, int depth) const {
    load_matrices(a, lane_row + row_tile * 16 * kTileStride<E> + depth * 16);
  }
};

/// The same, held in registers.
template <int E, int kRowTiles>
struct HeldRows {
  static constexpr int kUnroll = E / 16;
  uint32_t held[kRowTiles][E / 16][4];

  __device__ HeldRows(const bf16* rows, int lane) {
    const TileRows<E> tile(rows, lane);
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
      for (int k = 0; k < E / 16; ++k) tile.load(held[i][k], i, k);
    }
  }
  __device__ void load(uint32_t (&a)[4], int row_tile, int depth) const {
#pragma unroll
    for (int r = 0; r < 4; ++r) a[r] = held[row_tile][depth][r];
  }
};

/// d = a · bᵀ over E, b being kCols rows of a tile.
template <int E, int kRowTiles, int kCols, typename Rows>
__device__ __forceinline__ void multiply_rows(const Rows& a,
                                              const bf16* b,
                                              int lane,
                                              float (&d)[kRowTiles][kCols / 8][4]) {
  const bf16* const lane_row = b + (lane / 16 * 8 + lane % 8) * kTileStride<E> + (lane / 8 % 2) * 8;
#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int n = 0; n < kCols / 8; ++n) {
#pragma unroll
      for (int c = 0; c < 4; ++c) d[i][n][c] = 0;
    }
  }
#pragma unroll Rows::kUnroll
  for (int k = 0; k < E / 16; ++k) {
    uint32_t left[kRowTiles][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) a.load(left[i], i, k);
#pragma unroll
    for (int n = 0; n < kCols / 16; ++n) {
      uint32_t right[4];
      load_matrices(right, lane_row + n * 16 * kTileStride<E> + k * 16);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        multiply_add(d[i][2 * n], left[i], right[0], right[1]);
        multiply_add(d[i][2 * n + 1], left[i], right[2], right[3]);
      }
    }
  }
}

/// d += a · b, a being results of the last function, rounded, and b kDepth rows of a tile of which
/// kCols columns count.
template <int E, int kRowTiles, int kDepth, int kCols>
__device__ __forceinline__ void multiply_columns(const float (&a)[kRowTiles][kDepth / 8][4],
                                                 const bf16* b,
                                                 int lane,
                                                 float (&d)[kRowTiles][kCols / 8][4]) {
  const bf16* const lane_row = b + (lane % 16) * kTileStride<E> + (lane / 16) * 8;
#pragma unroll
  for (int k = 0; k < kDepth / 16; ++k) {
    uint32_t left[kRowTiles][4];
#pragma unroll
    for (int i = 0; i < kRowTiles; ++i) {
      left[i][0] = pack_bf16(a[i][2 * k][0], a[i][2 * k][1]);
      left[i][1] = pack_bf16(a[i][2 * k][2], a[i][2 * k][3]);
      left[i][2] = pack_bf16(a[i][2 * k + 1][0], a[i][2 * k + 1][1]);
      left[i][3] = pack_bf16(a[i][2 * k + 1][2], a[i][2 * k + 1][3]);
    }
#pragma unroll
    for (int n = 0; n < kCols / 16; ++n) {
      uint32_t right[4];
      load_matrices_transposed(right, lane_row + k * 16 * kTileStride<E> + n * 16);
#pragma unroll
      for (int i = 0; i < kRowTiles; ++i) {
        multiply_add(d[i][2 * n], left[i], right[0], right[1]);
        multiply_add(d[i][2 * n + 1], left[i], right[2], right[3]);
      }
    }
  }
}

}  // namespace prescript::cuda
