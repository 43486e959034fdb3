#pragma once
// Products of tiles by the plain attention kernels: float32 in shared memory whatever the dtype, a
// warp with 8 rows of the left operand and a lane with one of the right.

#include "cuda/attention_tile.cuh"

namespace prescript::cuda {

constexpr int kPlainThreads = 128;
constexpr int kPlainRows = 32;
constexpr int kPlainKeys = 32;
constexpr int kPlainHeld = 8;                  // rows of a warp
constexpr int kPlainCols = kMaxHeadSize / 32;  // of a lane

/// Odd: no two lanes' rows begin in the same bank.
__host__ __device__ constexpr int plain_stride(int head_size) {
  return head_size / 2 * 2 + 1;
}

/// Dynamic shared memory of `num_tiles` tiles.
constexpr int plain_bytes(int num_tiles, int head_size) {
  return num_tiles * kPlainKeys * plain_stride(head_size) * static_cast<int>(sizeof(float));
}

__device__ inline float plain_float(float x) {
  return x;
}
__device__ inline float plain_float(bf16 x) {
  return to_float(x);
}

template <typename T>
__device__ T plain_number(float x);
template <>
__device__ inline float plain_number<float>(float x) {
  return x;
}
template <>
__device__ inline bf16 plain_number<bf16>(float x) {
  return to_bf16(x);
}

/// Keys [begin, begin + 32) of x, zeros from `end` on.
template <typename T>
__device__ void read_keys(float* tile,
                          const void* x,
                          int64_t stride,
                          const FoldedHead& head,
                          int32_t begin,
                          int32_t end) {
  const int E = head.head_size;
  for (int i = static_cast<int>(threadIdx.x); i < kPlainKeys * E; i += kPlainThreads) {
    const int row = i / E;
    const int64_t at = (begin + row) * stride + int64_t{head.kv_head} * E + i % E;
    tile[row * plain_stride(E) + i % E] =
        begin + row < end ? plain_float(static_cast<const T*>(x)[at]) : 0.0F;
  }
}

/// scale · folded rows [begin, begin + 32) of x_NHE, zeros from `end` on.
template <typename T>
__device__ void read_folded(
    float* tile, const Tensor& x, const FoldedHead& head, int32_t begin, int32_t end, float scale) {
  const int E = head.head_size;
  for (int i = static_cast<int>(threadIdx.x); i < kPlainRows * E; i += kPlainThreads) {
    const int row = i / E;
    tile[row * plain_stride(E) + i % E] =
        begin + row < end ? scale * plain_float(head.row_of<T>(x, begin + row)[i % E]) : 0.0F;
  }
}

/// d[i] = row i of a · b.
__device__ inline void multiply_rows(
    const float* a, const float* b, int E, int stride, float (&d)[kPlainHeld]) {
#pragma unroll
  for (int i = 0; i < kPlainHeld; ++i) d[i] = 0;
  for (int e = 0; e < E; ++e) {
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) d[i] += a[i * stride + e] * b[e];
  }
}

/// d[i] += row i of a · the columns of b that the lane holds.
__device__ inline void add_columns(const float (*a)[kPlainKeys],
                                   const float* b,
                                   int E,
                                   int stride,
                                   int lane,
                                   float (&d)[kPlainHeld][kPlainCols]) {
  for (int k = 0; k < kPlainKeys; ++k) {
#pragma unroll
    for (int c = 0; c < kPlainCols; ++c) {
      if (c * 32 + lane >= E) break;
      const float x = b[k * stride + c * 32 + lane];
#pragma unroll
      for (int i = 0; i < kPlainHeld; ++i) d[i][c] += a[i][k] * x;
    }
  }
}

}  // namespace prescript::cuda
