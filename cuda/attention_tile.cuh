#pragma once
// What all attention kernels share: folded rows, the keys that a row sees, and the steps in which a
// tile passes over its groups.

#include <cstdint>

#include "base/tensor.h"
#include "cuda/attention_work.h"
#include "cuda/portable.cuh"

namespace prescript::cuda {

constexpr int32_t kFirst = -(1 << 30);  // before any key
constexpr int32_t kLast = 1 << 30;      // behind any key

constexpr float kLog2E = 1.4426950408889634F;

/// Keys [begin, end).
struct KeyRange {
  int32_t begin;
  int32_t end;
};

/// The keys that `query` sees in a group: none where no part holds it.
__device__ inline KeyRange keys_of(const AttentionWork& work,
                                   const AttentionGroup& group,
                                   int32_t query) {
  for (int32_t p = 0; p < group.num_parts; ++p) {
    const AttentionPart& part = work.parts[group.first_part + p];
    if (query < part.query_begin || query >= part.query_end) continue;
    return {max(part.key_begin, query + part.window_shift),
            min(part.key_end, query + part.causal_shift + 1)};
  }
  return {kLast, kFirst};
}

/// From the first key that some row sees, the first that every row may see, the first that not
/// every row sees any more, to the last that some row does.
struct SeenKeys {
  int32_t some_begin = kLast;
  int32_t all_begin = kFirst;
  int32_t all_end = kLast;
  int32_t some_end = kFirst;

  __device__ void add(KeyRange keys) {
    some_begin = min(some_begin, keys.begin);
    all_begin = max(all_begin, keys.begin);
    all_end = min(all_end, keys.end);
    some_end = max(some_end, keys.end);
  }
  /// Over a warp.
  __device__ void reduce() {
    for (int mask = 1; mask < 32; mask *= 2) {
      some_begin = min(some_begin, __shfl_xor_sync(0xFFFFFFFFU, some_begin, mask));
      all_begin = max(all_begin, __shfl_xor_sync(0xFFFFFFFFU, all_begin, mask));
      all_end = min(all_end, __shfl_xor_sync(0xFFFFFFFFU, all_end, mask));
      some_end = max(some_end, __shfl_xor_sync(0xFFFFFFFFU, some_end, mask));
    }
  }
  __device__ bool none(int32_t begin, int32_t end) const {
    return end <= some_begin || begin >= some_end;
  }
  __device__ bool all(int32_t begin, int32_t end) const {
    return begin >= all_begin && end <= all_end;
  }
};

template <int kRows>
struct WarpKeys;

/// The groups of a tile in steps of kStep keys, or rows.
template <int kStep>
struct Steps {
  int32_t group;
  int32_t last_group;
  int32_t begin = 0;
  int32_t end = 0;  // of the group

  __device__ Steps(const AttentionWork& work, int32_t first_group, int32_t num_groups)
      : group(first_group), last_group(first_group + num_groups) {
    enter(work);
  }
  /// One that was kept.
  template <int kRows>
  __device__ Steps(const WarpKeys<kRows>& kept, const QueryTile& tile)
      : group(kept.next_group),
        last_group(tile.first_group + tile.num_groups),
        begin(kept.next_begin),
        end(kept.next_end) {}
  __device__ bool is_done() const { return group == last_group; }
  __device__ void advance(const AttentionWork& work) {
    begin += kStep;
    if (begin < end) return;
    ++group;
    enter(work);
  }

 private:
  __device__ void enter(const AttentionWork& work) {
    if (is_done()) return;
    begin = work.groups[group].begin;
    end = work.groups[group].end;
  }
};

/// A kv head of a block, and how its rows are folded.
struct FoldedHead {
  int32_t kv_head;
  int32_t group_size;  // G
  int32_t head_size;   // E

  __device__ FoldedHead(const AttentionWork& work, int32_t index)
      : kv_head(index), group_size(work.group_size), head_size(work.head_size) {}

  __device__ int32_t query_of(int32_t row) const { return row / group_size; }
  __device__ int32_t head_of(int32_t row) const { return kv_head * group_size + row % group_size; }
  /// Of x_NHE.
  template <typename T>
  __device__ T* row_of(const Tensor& x, int32_t row) const {
    return static_cast<T*>(x.data) + query_of(row) * x.stride + int64_t{head_of(row)} * head_size;
  }
  /// Of x_NH.
  __device__ float& number_of(const Tensor& x, int32_t row) const {
    return static_cast<float*>(x.data)[query_of(row) * x.stride + head_of(row)];
  }
};

/// The keys that the rows of a warp see in a group, and the step that comes next. In shared memory:
/// it is read once a step, and registers are what the kernels have least of.
template <int kRows>
struct WarpKeys {
  SeenKeys seen;
  KeyRange keys[kRows];
  int32_t known_group;
  int32_t next_group;
  int32_t next_begin;
  int32_t next_end;

  /// By the whole warp, which has read what was kept before.
  template <typename Step>
  __device__ void keep(const Step& next, int32_t group, int lane) {
    __syncwarp();
    if (lane != 0) return;
    known_group = group;
    next_group = next.group;
    next_begin = next.begin;
    next_end = next.end;
  }

  /// Called by the whole warp. Rows from `num_rows` on do not exist: they are never written, and do
  /// not make a step be masked.
  __device__ void find(const AttentionWork& work,
                       int32_t group,
                       const FoldedHead& head,
                       int32_t first_row,
                       int32_t num_rows,
                       int lane) {
    SeenKeys found;
    const int index = lane % kRows;
    KeyRange range{kFirst, kLast};
    if (first_row + index < num_rows) {
      // A tile that was divided has some of the keys of a group, whose parts go on.
      const AttentionGroup& passed = work.groups[group];
      range = keys_of(work, passed, head.query_of(first_row + index));
      range = {max(range.begin, passed.begin), min(range.end, passed.end)};
      found.add(range);
    }
    found.reduce();
    __syncwarp();
    if (lane < kRows) keys[index] = range;
    if (lane == 0) seen = found;
    __syncwarp();
  }
};

/// Where a tile that sees some of its keys leaves row `row` of its out, and its log-sum-exp.
__device__ inline int64_t partial_row(
    const AttentionWork& work, int32_t slot, int32_t kv_head, int32_t tile_rows, int32_t row) {
  return (int64_t{slot} * work.num_kv_heads + kv_head) * tile_rows + row;
}

__device__ inline float quiet_exponent(float max, float factor) {
  return max == -INFINITY ? 0.0F : max * factor;
}

}  // namespace prescript::cuda
