#pragma once
// What the attention kernels are told: tiles of queries and of keys, and the parts that join them.
// ops/cuda_attention.h makes it; no CUDA header is needed to include it.
//
// Query heads that share a kv head are folded into rows: with G = H / K, folded row r of a kv head
// is query r / G, head r % G of the group. A tile is a run of folded rows, or of keys, of every kv
// head.

#include <cstdint>

namespace prescript::cuda {

/// A part where it meets a tile. Query n sees keys [max(key_begin, n + window_shift),
/// min(key_end, n + causal_shift + 1)) of the source.
struct AttentionPart {
  static constexpr int32_t kNoShift = 1 << 30;

  int32_t query_begin = 0;
  int32_t query_end = 0;
  int32_t key_begin = 0;
  int32_t key_end = 0;
  int32_t causal_shift = kNoShift;
  int32_t window_shift = -kNoShift;
};

/// What a tile passes over in one go: keys [begin, end) of a source for a tile of queries, folded
/// rows [begin, end) for a tile of keys. Each query of the tile is in at most one of the parts.
struct AttentionGroup {
  int32_t begin = 0;
  int32_t end = 0;
  int32_t source = 0;
  int32_t first_part = 0;
  int32_t num_parts = 0;
};

/// Folded rows from `row_begin` on. Where `slot` is not negative the tile sees only some of its
/// keys, and leaves its result in that slot to be merged.
struct QueryTile {
  int32_t row_begin = 0;
  int32_t first_group = 0;
  int32_t num_groups = 0;
  int32_t slot = -1;
};

/// Keys [key_begin, key_end) of a source: no more than a tile's.
struct KeyTile {
  int32_t source = 0;
  int32_t key_begin = 0;
  int32_t key_end = 0;
  int32_t first_group = 0;
  int32_t num_groups = 0;
};

/// Slots [first_slot, first_slot + num_slots) make the folded rows from `row_begin` on.
struct MergedTile {
  int32_t row_begin = 0;
  int32_t first_slot = 0;
  int32_t num_slots = 0;
};

/// K/V of a source and their gradients (float32; null where none are wanted).
struct AttentionSource {
  const void* k = nullptr;
  const void* v = nullptr;
  int64_t k_stride = 0;
  int64_t v_stride = 0;
  float* dk = nullptr;
  float* dv = nullptr;
  int64_t dk_stride = 0;
  int64_t dv_stride = 0;
};

/// Keys of a source whose gradients several blocks summed, each over some of the rows that see
/// them: `num_pieces` matrices [num_keys, K·E] of dK, one behind the other, then as many of dV, are
/// to be added to the source's gradients.
struct DividedKeys {
  float* dk = nullptr;  // of the first key
  float* dv = nullptr;
  int64_t dk_stride = 0;
  int64_t dv_stride = 0;
  const float* pieces = nullptr;
  int32_t num_keys = 0;
  int32_t num_pieces = 0;
};

/// Any dtype, head size up to kMaxHeadSize and alignment; or matrix instructions on bfloat16, for
/// many rows or for so few that most of a larger tile would be empty; or products of warpgroups on
/// bfloat16, for many rows.
enum class AttentionKernels : int32_t { kPlain, kMatrix, kMatrixFewRows, kWarpgroup };

constexpr int64_t kMaxHeadSize = 256;

/// Whether there are kernels of matrix instructions; they need 16-byte aligned rows.
constexpr bool has_matrix_kernels(int64_t head_size) {
  return head_size == 64 || head_size == 80 || head_size == 96 || head_size == 128 ||
         head_size == 256;
}

/// Whether there are kernels of products of warpgroups; they need aligned rows too, and sm_90a.
constexpr bool has_warpgroup_kernels(int64_t head_size) {
  return head_size == 64 || head_size == 128;
}

/// Folded rows of a QueryTile.
constexpr int32_t query_tile_rows(AttentionKernels kernels, int64_t head_size) {
  switch (kernels) {
    case AttentionKernels::kPlain:
      return 32;
    case AttentionKernels::kMatrix:
      return head_size <= 128 ? 128 : 64;
    case AttentionKernels::kMatrixFewRows:
      return 16;
    case AttentionKernels::kWarpgroup:
      return 128;
  }
  return 0;
}

/// Keys of a KeyTile: what a block's registers hold dK and dV of.
constexpr int32_t key_tile_keys(AttentionKernels kernels, int64_t head_size) {
  if (kernels == AttentionKernels::kPlain) return 32;
  if (kernels == AttentionKernels::kWarpgroup) return 128;
  return head_size <= 128 ? 64 : 32;
}

/// Device pointers, but for the numbers.
struct AttentionWork {
  AttentionKernels kernels = AttentionKernels::kPlain;
  int32_t num_heads = 0;
  int32_t num_kv_heads = 0;
  int32_t group_size = 0;  // G
  int32_t head_size = 0;
  float scale = 0;
  float scale_in_twos = 0;  // scale · log2(e): of exponents of 2
  float cap = 0;            // 0: none

  const QueryTile* query_tiles = nullptr;  // the longest first, as key_tiles
  const KeyTile* key_tiles = nullptr;
  const MergedTile* merged_tiles = nullptr;
  const AttentionGroup* groups = nullptr;
  const AttentionPart* parts = nullptr;
  const AttentionSource* sources = nullptr;
  const DividedKeys* divided_keys = nullptr;
  int32_t num_query_tiles = 0;
  int32_t num_key_tiles = 0;
  int32_t num_merged_tiles = 0;
  int32_t num_divided_keys = 0;
  int32_t most_divided_keys = 0;  // keys of the largest of them

  /// [slot, kv head, row of the tile, E] of out, and without E of the log-sum-exp: float32.
  float* partial_out = nullptr;
  float* partial_lse = nullptr;
};

}  // namespace prescript::cuda
