#pragma once
// Sums and maxima over the threads of a block, as trees of fixed shape, and how threads share the
// groups of columns that are normed together.

#include <cstdint>

#include "cuda/portable.cuh"

namespace prescript::cuda {

inline constexpr int kWarpThreads = 32;
inline constexpr int kMaxWarps = 32;
inline constexpr unsigned kWholeWarp = 0xFFFFFFFFU;

struct Sum {
  static constexpr float kNeutral = 0;
  static __device__ __forceinline__ float of(float a, float b) { return a + b; }
};

struct Max {
  static constexpr float kNeutral = -3.402823466e38F;  // the lowest number, so that −∞ is below it
  static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
};

/// Over `threads` neighbouring lanes, a power of two. All of the warp must call it; all have the
/// result, with the same bits: either side of an exchange joins the same two numbers.
template <typename Join>
__device__ __forceinline__ float reduce_lanes(float x, int threads) {
  for (int distance = threads / 2; distance > 0; distance /= 2) {
    x = Join::of(x, __shfl_xor_sync(kWholeWarp, x, distance));
  }
  return x;
}

/// Over the block, whole warps. All threads must call it; all have the result, with the same bits.
template <typename Join>
__device__ __forceinline__ float reduce_block(float x) {
  SHARED_ARRAY(float, of_warps, [kMaxWarps]);
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  const int num_warps = static_cast<int>(blockDim.x) / kWarpThreads;
  x = reduce_lanes<Join>(x, kWarpThreads);
  __syncthreads();  // what the call before left has been read
  if (lane == 0) of_warps[warp] = x;
  __syncthreads();
  return reduce_lanes<Join>(lane < num_warps ? of_warps[lane] : Join::kNeutral, kWarpThreads);
}

// --- groups: columns of a row that are normed together ---

/// Vectors that a thread keeps in registers: groups of up to max_threads · 4 · 16 bytes are read
/// once.
inline constexpr int kHeldVectors = 2;

/// `threads` threads, a power of two, share a group; it depends on its size alone, and so do bits.
struct Groups {
  int64_t count;
  uint32_t per_row;
  int columns;    // of a group
  float inverse;  // 1 / columns
  int vectors;
  int threads;
  int block_threads;
  uint32_t blocks;  // none where there is nothing to do
};

inline Groups groups_of(
    int64_t rows, int64_t row_columns, int64_t columns, int width, int max_threads) {
  // Smaller blocks would not fill an SM, whose number of blocks is limited.
  constexpr int kMinBlockThreads = 128;
  // Each takes several groups, so that weights are read once for several; enough for 132 SMs, each
  // full of the smallest blocks.
  constexpr int64_t kMaxBlocks = 132 * 16;
  Groups groups{};
  if (columns <= 0) return groups;
  groups.per_row = static_cast<uint32_t>(row_columns / columns);
  groups.count = rows * groups.per_row;
  groups.columns = static_cast<int>(columns);
  groups.inverse = 1 / static_cast<float>(columns);
  groups.vectors = static_cast<int>(columns / width);
  groups.threads = 8;
  while (groups.threads < max_threads && groups.threads * kHeldVectors < groups.vectors) {
    groups.threads *= 2;
  }
  // Where several warps share a group, it has the block for itself.
  groups.block_threads = groups.threads > kWarpThreads ? groups.threads : kMinBlockThreads;
  const int64_t per_block = groups.block_threads / groups.threads;
  const int64_t blocks = (groups.count + per_block - 1) / per_block;
  groups.blocks = static_cast<uint32_t>(blocks < kMaxBlocks ? blocks : kMaxBlocks);
  return groups;
}

/// A thread's place in its block's groups.
struct GroupPlace {
  int lane;           // within the group
  int slot;           // of the group within the block
  int64_t per_block;  // groups of a block
};

__device__ __forceinline__ GroupPlace group_place(const Groups& groups) {
  const auto thread = static_cast<int>(threadIdx.x);
  const auto per_block = static_cast<int>(blockDim.x) / groups.threads;
  return {thread & (groups.threads - 1), thread / groups.threads, per_block};
}

/// Over the threads of a group; all threads of the block must call it.
__device__ __forceinline__ float sum_over_group(float x, const Groups& groups) {
  if (groups.threads <= kWarpThreads) return reduce_lanes<Sum>(x, groups.threads);
  return reduce_block<Sum>(x);
}

}  // namespace prescript::cuda
