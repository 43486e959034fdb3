#pragma once
// What the attention kernels of warpgroups share: a warpgroup that copies, and two that compute;
// tiles of bfloat16 in shared memory as products read them; the keys that rows of a block see.

#include "cuda/attention_tile.cuh"

namespace prescript::cuda {

constexpr int kGroupThreads = 128;  // of a warpgroup
constexpr int kGroupRows = 64;      // that it computes
constexpr int kCopyThreads = kGroupThreads;
constexpr int kBlockThreads = kCopyThreads + 2 * kGroupThreads;

// Of the 65536 of a multiprocessor a block starts with 168 a thread; copying needs few.
constexpr int kCopyRegisters = 40;
constexpr int kComputeRegisters = 232;
static_assert(kCopyRegisters + 2 * kComputeRegisters <= 3 * 168);

/// Stages of shared memory in a ring: the copying warpgroup fills one while the others compute from
/// those before, each at its own pace. It takes 3·kStages barriers from kFirst on.
template <int kStages, int kFirst>
struct Ring {
  static constexpr int kBarriers = 3 * kStages;

  int stage = 0;
  int num_filled = 0;  // up to kStages

  __device__ void advance() { stage = stage == kStages - 1 ? 0 : stage + 1; }

  // --- of the copying warpgroup ---

  /// Waits until `stage` is free.
  __device__ void wait_until_empty() {
    if (num_filled == kStages) {
      barrier_wait(kFirst + 2 * kStages + stage, kBlockThreads);
    } else {
      ++num_filled;
    }
  }
  /// The stage behind which `stage` is by `distance` is there.
  __device__ void hand_over(int distance) const {
    barrier_arrive(kFirst + behind(distance), kCopyThreads + kGroupThreads);
    barrier_arrive(kFirst + kStages + behind(distance), kCopyThreads + kGroupThreads);
  }
  /// Until everything is used up.
  __device__ void wait_for_all() {
    if (num_filled < kStages) stage = 0;
    for (; num_filled > 0; --num_filled, advance()) {
      barrier_wait(kFirst + 2 * kStages + stage, kBlockThreads);
    }
  }

  // --- of those that compute ---

  __device__ void wait_until_full(int warpgroup) const {
    barrier_wait(kFirst + warpgroup * kStages + stage, kCopyThreads + kGroupThreads);
  }
  /// The stage behind which `stage` is by `distance` may be filled again.
  __device__ void give_back(int distance) const {
    barrier_arrive(kFirst + 2 * kStages + behind(distance), kBlockThreads);
  }

 private:
  __device__ int behind(int distance) const {
    return stage >= distance ? stage - distance : stage - distance + kStages;
  }
};

/// Two warpgroups take turns with their products, so that each has the matrix units to itself while
/// the other does what comes between. Barriers kFirst and kFirst + 1.
template <int kFirst>
struct Turns {
  /// Before the first turn.
  __device__ static void begin(int warpgroup) {
    if (warpgroup == 1) barrier_arrive(kFirst, 2 * kGroupThreads);
  }
  __device__ static void wait(int warpgroup) {
    barrier_wait(kFirst + warpgroup, 2 * kGroupThreads);
  }
  __device__ static void pass_on(int warpgroup) {
    barrier_arrive(kFirst + 1 - warpgroup, 2 * kGroupThreads);
  }
  /// Behind the last.
  __device__ static void end(int warpgroup) {
    if (warpgroup == 0) barrier_wait(kFirst, 2 * kGroupThreads);
  }
};

/// A tile [kRows, E] in panels of 64 columns (describe_tile).
template <int E, int kRows>
struct SwizzledTile {
  static constexpr int kPanelBytes = kRows * 128;
  static constexpr int kBytes = E / 64 * kPanelBytes;

  // What is added to a descriptor.
  static constexpr int kGroupStep = kGroupRows * 128 / 16;  // 64 rows on
  /// Columns 16k to 16k + 15.
  __device__ static constexpr int columns(int k) { return k / 4 * (kPanelBytes / 16) + k % 4 * 2; }
  /// Rows 16k to 16k + 15.
  __device__ static constexpr int rows(int k) { return k * (16 * 128 / 16); }

  __device__ static uint64_t describe(const unsigned char* tile) {
    return describe_tile(tile, kPanelBytes);
  }
  /// Where 16-byte unit `unit` of a row lies.
  __device__ static int offset(int row, int unit) {
    return unit / 8 * kPanelBytes + row * 128 + ((unit ^ row) & 7) * 16;
  }
};

/// A tile's descriptor that the compiler knows to be the same in all threads of a warp: steps are
/// added to it by the unit of a warp, not by every thread between two products.
class UniformTile {
 public:
  /// `step` on from a tile.
  __device__ UniformTile(uint64_t tile, int step)
      : low_(
            __shfl_sync(0xFFFFFFFFU, static_cast<uint32_t>(tile) + static_cast<uint32_t>(step), 0)),
        high_(static_cast<uint32_t>(tile >> 32)) {}

  __device__ uint64_t operator+(int step) const {
    return uint64_t{high_} << 32 | (low_ + static_cast<uint32_t>(step));
  }

 private:
  uint32_t low_;
  uint32_t high_;
};

/// d = a · bᵀ over E, a being 64 rows of a tile and b kCols rows of one. Tiles are descriptors or
/// UniformTiles.
template <typename A, typename B, int E, typename TileA, typename TileB, int kTiles>
__device__ __forceinline__ void multiply_rows(TileA a, TileB b, float (&d)[kTiles][4]) {
#pragma unroll
  for (int k = 0; k < E / 16; ++k) {
    multiply_tiles<false>(d, a + A::columns(k), b + B::columns(k), k > 0);
  }
}

/// d += a · b, a being held and b the rows of a tile.
template <typename B, int kDepth, typename TileB, int kTiles>
__device__ __forceinline__ void multiply_columns(const uint32_t (&a)[kDepth][4],
                                                 TileB b,
                                                 float (&d)[kTiles][4]) {
#pragma unroll
  for (int k = 0; k < kDepth; ++k) multiply_tiles<true>(d, a[k], b + B::rows(k), true);
}

/// Results of multiply_rows, rounded, as left operands.
template <int kDepth>
__device__ __forceinline__ void pack(const float (&d)[2 * kDepth][4], uint32_t (&a)[kDepth][4]) {
#pragma unroll
  for (int k = 0; k < kDepth; ++k) {
    a[k][0] = pack_bf16(d[2 * k][0], d[2 * k][1]);
    a[k][1] = pack_bf16(d[2 * k][2], d[2 * k][3]);
    a[k][2] = pack_bf16(d[2 * k + 1][0], d[2 * k + 1][1]);
    a[k][3] = pack_bf16(d[2 * k + 1][2], d[2 * k + 1][3]);
  }
}

/// Starts to copy kRows rows of x from `begin` on; rows from `end` on become zeros. Called by the
/// copying warpgroup, as what follows.
template <int E, int kRows>
__device__ __forceinline__ void copy_rows(
    unsigned char* tile, const void* x, int64_t stride, int32_t begin, int32_t end) {
  constexpr int kUnits = E / 8;
  constexpr int kStep = kCopyThreads / kUnits;  // of rows: a multiple of 8
  const int row = static_cast<int>(threadIdx.x) / kUnits;
  const int unit = static_cast<int>(threadIdx.x) % kUnits;
  unsigned char* to = tile + SwizzledTile<E, kRows>::offset(row, unit);
  const bf16* from = static_cast<const bf16*>(x) + (begin + row) * stride + unit * 8;
#pragma unroll 4
  for (int i = 0; i < kRows / kStep; ++i) {
    const bool exists = begin + row + i * kStep < end;
    copy_async_16(to + i * kStep * 128, exists ? from : x, exists);
    from += kStep * stride;
  }
}

/// The same for folded rows of x_NHE. A lane finds out where one of the rows lies, in units of 16
/// bytes, and tells the others of its warp.
template <int E, int kRows>
__device__ __forceinline__ void copy_folded(
    const FoldedHead& head, const Tensor& x, int32_t begin, int32_t end, unsigned char* tile) {
  constexpr int kUnits = E / 8;
  constexpr int kStep = kCopyThreads / kUnits;  // of rows: a multiple of 8
  constexpr int kWarpRows = 32 / kUnits;        // of a warp, side by side
  constexpr int kCopies = kRows / kStep;
  static_assert(kWarpRows * kCopies <= 32);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first = static_cast<int>(threadIdx.x) / 32 * kWarpRows;
  const int32_t row = begin + first + lane % kWarpRows + lane / kWarpRows * kStep;
  int32_t place = -1;
  if (row < end) {
    place = head.query_of(row) * static_cast<int32_t>(x.stride / 8) + head.head_of(row) * kUnits;
  }
  const int unit = lane % kUnits;
  unsigned char* const to = tile + SwizzledTile<E, kRows>::offset(first + lane / kUnits, unit);
#pragma unroll
  for (int i = 0; i < kCopies; ++i) {
    const int32_t from = __shfl_sync(0xFFFFFFFFU, place, i * kWarpRows + lane / kUnits);
    const bool exists = from >= 0;
    const int64_t at = exists ? int64_t{from + unit} * 8 : 0;
    copy_async_16(to + i * kStep * 128, static_cast<const bf16*>(x.data) + at, exists);
  }
}

/// The keys that the rows of a block see in a group.
template <int kRows>
struct BlockKeys {
  SeenKeys seen_by_half[kRows / 32];  // of 32 rows
  KeyRange keys[kRows];

  /// Called by the copying warpgroup. Rows from `num_rows` on do not exist: they are never written,
  /// and do not make a step be masked.
  __device__ void find(const AttentionWork& work,
                       int32_t group,
                       const FoldedHead& head,
                       int32_t first_row,
                       int32_t num_rows) {
    static_assert(kRows == kCopyThreads);
    const auto index = static_cast<int32_t>(threadIdx.x);
    SeenKeys found;
    KeyRange range{kFirst, kLast};
    if (first_row + index < num_rows) {
      // A tile that was divided has some of the keys of a group, whose parts go on.
      const AttentionGroup& passed = work.groups[group];
      range = keys_of(work, passed, head.query_of(first_row + index));
      range = {max(range.begin, passed.begin), min(range.end, passed.end)};
      found.add(range);
    }
    found.reduce();
    keys[index] = range;
    if (index % 32 == 0) seen_by_half[index / 32] = found;
  }

  /// Whether all rows of a warpgroup see all of the keys.
  __device__ bool all(int warpgroup, int32_t begin, int32_t end) const {
    return seen_by_half[2 * warpgroup].all(begin, end) &&
           seen_by_half[2 * warpgroup + 1].all(begin, end);
  }
};

/// Where a computing thread of a block has its sums: rows `row` and `row` + 8 of the block, and of
/// every 8 columns the pair from `col` on.
struct ThreadPlace {
  int warpgroup;
  int row;
  int col;

  __device__ ThreadPlace()
      : warpgroup(static_cast<int>(threadIdx.x) / kGroupThreads - 1),
        row((static_cast<int>(threadIdx.x) - kCopyThreads) / 32 * 16 +
            static_cast<int>(threadIdx.x) % 32 / 4),
        col(static_cast<int>(threadIdx.x) % 4 * 2) {}
};

/// cap · tanh(x / cap) to some 2^-23 of the cap, which is far below a score's rounding to bfloat16.
__device__ __forceinline__ float capped(float x, float cap) {
  return cap - __fdividef(2 * cap, power_of_two(x * (2 * kLog2E / cap)) + 1);
}

}  // namespace prescript::cuda
