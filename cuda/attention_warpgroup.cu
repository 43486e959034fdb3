// attention_warpgroup.cu: attention by the products of warpgroups, bfloat16, sm_90a.
//   Maths      as attention_matrix.cu     Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, out_NHE, k and v of a source [rows, K·E] bf16, 16-byte aligned rows; lse_NH
//              f32; E in {64, 128}
//   Mapping    a block per (tile of 128 folded rows, kv head): a warpgroup copies K/V in steps of
//              128 keys, two compute 64 rows each. They take turns: one has the scores of its next
//              step and P·V of this one computed while the other takes exponentials
//   Traffic    q and out once; K/V once a tile, from L2 where tiles share it
//   Roofline   4·E·G FLOP a key and query: bound by the matrix units
//   Measured   4096 causal rows, H 32, K 8, E 128: 297 µs, 463 TFLOP/s, 47 % of 989; 8192 rows:
//              51 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     FlashAttention-3, arXiv 2407.08608, section 3.2

#include "cuda/attention_launch.h"
#include "cuda/attention_warpgroup.cuh"

namespace prescript::cuda {
namespace {

template <int kE>
struct ForwardShape {
  static constexpr int E = kE;
  static constexpr int kRows = 2 * kGroupRows;
  static constexpr int kKeys = 128;
  static constexpr int kStages = 2;  // of K, and of V
  using KeyRing = Ring<kStages, 1>;
  using ValueRing = Ring<kStages, 1 + KeyRing::kBarriers>;
  using Rows = SwizzledTile<E, kRows>;
  using Keys = SwizzledTile<E, kKeys>;
  static constexpr int kSharedBytes = Rows::kBytes + 2 * kStages * Keys::kBytes +
                                      kStages * static_cast<int>(sizeof(BlockKeys<kRows>));
};

/// The rows of a thread: sums of out and what they are relative to.
template <typename Shape>
struct ForwardState {
  float out[Shape::E / 8][4] = {};
  float max[2] = {-INFINITY, -INFINITY};
  float sum[2] = {};  // of this thread's columns
};

/// Scores of keys that a row does not see become -inf.
template <typename Shape>
__device__ __forceinline__ void hide(const BlockKeys<Shape::kRows>& block_keys,
                                     const ThreadPlace& place,
                                     int32_t first_key,
                                     float (&s)[Shape::kKeys / 8][4]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const KeyRange keys = block_keys.keys[place.row + half * 8];
    const int32_t begin = keys.begin - first_key - place.col;
    const int32_t end = keys.end - first_key - place.col;
#pragma unroll
    for (int n = 0; n < Shape::kKeys / 8; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const int32_t key = n * 8 + c;
        if (key < begin || key >= end) s[n][2 * half + c] = -INFINITY;
      }
    }
  }
}

/// Scores become exp(score − maximum so far); `shrink` is what earlier sums are to be scaled by.
template <typename Shape>
__device__ __forceinline__ void take_exponentials(ForwardState<Shape>& state,
                                                  float factor,
                                                  float (&s)[Shape::kKeys / 8][4],
                                                  float (&shrink)[2]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float max = state.max[half];
#pragma unroll
    for (int n = 0; n < Shape::kKeys / 8; ++n) {
      max = fmaxf(max, fmaxf(s[n][2 * half], s[n][2 * half + 1]));
    }
    max = fmaxf(max, __shfl_xor_sync(0xFFFFFFFFU, max, 1));
    max = fmaxf(max, __shfl_xor_sync(0xFFFFFFFFU, max, 2));
    const float base = quiet_exponent(max, factor);
    shrink[half] = power_of_two(state.max[half] * factor - base);
    state.max[half] = max;
    float sum = state.sum[half] * shrink[half];
#pragma unroll
    for (int n = 0; n < Shape::kKeys / 8; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float& x = s[n][2 * half + c];
        x = power_of_two(x * factor - base);
        sum += x;
      }
    }
    state.sum[half] = sum;
  }
}

template <typename Shape>
__device__ __forceinline__ void scale_out(const float (&shrink)[2], ForwardState<Shape>& state) {
#pragma unroll
  for (int n = 0; n < Shape::E / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 4; ++c) state.out[n][c] *= shrink[c / 2];
  }
}

template <typename Shape>
__device__ __forceinline__ void write_out(const AttentionWork& work,
                                          const QueryTile& tile,
                                          const FoldedHead& head,
                                          const ThreadPlace& place,
                                          float unit,
                                          const ForwardState<Shape>& state,
                                          const Tensor& out_NHE,
                                          const Tensor& lse_NH) {
  constexpr int E = Shape::E;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float sum = state.sum[half];
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 1);
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, 2);
    const int32_t tile_row = place.row + half * 8;
    const int32_t row = tile.row_begin + tile_row;
    if (row >= static_cast<int32_t>(out_NHE.rows) * head.group_size) continue;
    // A piece of the keys may hold none that this row sees.
    const float inverse = sum == 0 ? 0.0F : 1 / sum;
    const float lse = sum == 0 ? -INFINITY : state.max[half] * unit + logf(sum);
    if (tile.slot < 0) {
      bf16* const to = head.row_of<bf16>(out_NHE, row) + place.col;
#pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        *reinterpret_cast<uint32_t*>(to + n * 8) =
            pack_bf16(state.out[n][2 * half] * inverse, state.out[n][2 * half + 1] * inverse);
      }
      if (place.col == 0) head.number_of(lse_NH, row) = lse;
    } else {
      const int64_t at = partial_row(work, tile.slot, head.kv_head, Shape::kRows, tile_row);
      float* const to = work.partial_out + at * E + place.col;
#pragma unroll
      for (int n = 0; n < E / 8; ++n) {
        *reinterpret_cast<float2*>(to + n * 8) = {state.out[n][2 * half] * inverse,
                                                  state.out[n][2 * half + 1] * inverse};
      }
      if (place.col == 0) work.partial_lse[at] = lse;
    }
  }
}

/// What lies in the shared memory of a block.
template <typename Shape>
struct ForwardMemory {
  unsigned char* q_tile;
  unsigned char* k_tiles;
  unsigned char* v_tiles;
  BlockKeys<Shape::kRows>* keys;  // of each stage of K

  __device__ explicit ForwardMemory(unsigned char* shared)
      : q_tile(shared),
        k_tiles(q_tile + Shape::Rows::kBytes),
        v_tiles(k_tiles + Shape::kStages * Shape::Keys::kBytes),
        keys(reinterpret_cast<BlockKeys<Shape::kRows>*>(v_tiles +
                                                        Shape::kStages * Shape::Keys::kBytes)) {}
};

/// Of the copying warpgroup. K of a step is under way together with V of the step before, whose
/// stage comes free at the same time.
template <typename Shape>
__device__ __forceinline__ void copy_block(const AttentionWork& work,
                                           const QueryTile& tile,
                                           const FoldedHead& head,
                                           const Tensor& q_NHE,
                                           const ForwardMemory<Shape>& memory) {
  constexpr int E = Shape::E;
  constexpr int kKeys = Shape::kKeys;
  const auto num_rows = static_cast<int32_t>(q_NHE.rows) * head.group_size;
  const int64_t col = int64_t{head.kv_head} * E;
  Steps<kKeys> step(work, tile.first_group, tile.num_groups);
  if (step.is_done()) return;
  typename Shape::KeyRing k_ring;
  typename Shape::ValueRing v_ring;
  int32_t group = -1;
  int unknown_stages = 0;  // whose keys are of another group
  copy_folded<E, Shape::kRows>(head, q_NHE, tile.row_begin, num_rows, memory.q_tile);
  for (bool is_first = true; !step.is_done(); step.advance(work), is_first = false) {
    const AttentionSource& source = work.sources[work.groups[step.group].source];
    k_ring.wait_until_empty();
    copy_rows<E, kKeys>(memory.k_tiles + k_ring.stage * Shape::Keys::kBytes,
                        static_cast<const bf16*>(source.k) + col,
                        source.k_stride,
                        step.begin,
                        step.end);
    if (step.group != group) {
      group = step.group;
      unknown_stages = Shape::kStages;
    }
    if (unknown_stages > 0) {
      --unknown_stages;
      memory.keys[k_ring.stage].find(work, group, head, tile.row_begin, num_rows);
    }
    copy_async_commit();
    copy_async_wait<0>();
    publish_to_products();
    if (!is_first) v_ring.hand_over(1);
    k_ring.hand_over(0);
    k_ring.advance();
    v_ring.wait_until_empty();
    copy_rows<E, kKeys>(memory.v_tiles + v_ring.stage * Shape::Keys::kBytes,
                        static_cast<const bf16*>(source.v) + col,
                        source.v_stride,
                        step.begin,
                        step.end);
    v_ring.advance();
  }
  copy_async_commit();
  copy_async_wait<0>();
  publish_to_products();
  v_ring.hand_over(1);
  k_ring.wait_for_all();
  v_ring.wait_for_all();
}

/// Of a warpgroup that computes 64 rows.
template <typename Shape, bool kIsCapped>
__device__ __forceinline__ void compute_block(const AttentionWork& work,
                                              const QueryTile& tile,
                                              const FoldedHead& head,
                                              const ForwardMemory<Shape>& memory,
                                              const Tensor& out_NHE,
                                              const Tensor& lse_NH) {
  constexpr int E = Shape::E;
  constexpr int kKeys = Shape::kKeys;
  using Rows = typename Shape::Rows;
  using Keys = typename Shape::Keys;
  using Turn = Turns<Shape::KeyRing::kBarriers + Shape::ValueRing::kBarriers + 1>;
  const ThreadPlace place;
  const int warpgroup = place.warpgroup;

  // Scores are taken to powers of two; a capped score is in its own unit already.
  const float unit = kIsCapped ? 1 : work.scale;
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;
  ForwardState<Shape> state;

  Steps<kKeys> step(work, tile.first_group, tile.num_groups);
  if (!step.is_done()) {
    typename Shape::KeyRing k_ring;
    typename Shape::ValueRing v_ring;
    const uint64_t q_rows = Rows::describe(memory.q_tile) + warpgroup * Rows::kGroupStep;
    const uint64_t all_keys = Keys::describe(memory.k_tiles);
    const uint64_t all_values = Keys::describe(memory.v_tiles);
    float s[kKeys / 8][4];
    float shrink[2];
    uint32_t p[kKeys / 16][4];
    const auto multiply_keys = [&] {
      multiply_rows<Rows, Keys, E>(q_rows, all_keys + k_ring.stage * (Keys::kBytes / 16), s);
      products_commit();
    };
    const auto multiply_values = [&] {
      multiply_columns<Keys>(p, all_values + v_ring.stage * (Keys::kBytes / 16), state.out);
      products_commit();
    };
    // Of a step's raw scores, which are ready; gives its stage back.
    const auto exponentiate = [&] {
      const BlockKeys<Shape::kRows>& block_keys = memory.keys[k_ring.stage];
      if (kIsCapped) {
#pragma unroll
        for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
          for (int c = 0; c < 4; ++c) s[n][c] = capped(s[n][c] * work.scale, work.cap);
        }
      }
      if (!block_keys.all(warpgroup, step.begin, step.begin + kKeys)) {
        hide<Shape>(block_keys, place, step.begin, s);
      }
      k_ring.give_back(0);
      k_ring.advance();
      take_exponentials<Shape>(state, factor, s, shrink);
    };

    Turn::begin(warpgroup);
    k_ring.wait_until_full(warpgroup);
    Turn::wait(warpgroup);
    products_begin();
    multiply_keys();
    Turn::pass_on(warpgroup);
    products_wait<0>(s);
    exponentiate();
    pack(s, p);
    for (step.advance(work); !step.is_done(); step.advance(work)) {
      k_ring.wait_until_full(warpgroup);
      Turn::wait(warpgroup);
      products_begin();
      multiply_keys();
      v_ring.wait_until_full(warpgroup);
      multiply_values();
      Turn::pass_on(warpgroup);
      products_wait<0>(s, state.out);
      v_ring.give_back(0);
      v_ring.advance();
      exponentiate();
      scale_out<Shape>(shrink, state);
      pack(s, p);
    }
    v_ring.wait_until_full(warpgroup);
    Turn::wait(warpgroup);
    products_begin();
    multiply_values();
    Turn::pass_on(warpgroup);
    products_wait<0>(state.out);
    v_ring.give_back(0);
    Turn::end(warpgroup);
  }
  write_out<Shape>(work, tile, head, place, unit, state, out_NHE, lse_NH);
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(kBlockThreads, 1)
    warpgroup_forward(AttentionWork work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH) {
  if constexpr (kHasWarpgroups) {
    DYNAMIC_SHARED(shared);
    const ForwardMemory<Shape> memory(shared);
    const QueryTile tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
    const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
    if (threadIdx.x < kCopyThreads) {
      give_registers_back<kCopyRegisters>();
      copy_block<Shape>(work, tile, head, q_NHE, memory);
    } else {
      take_registers<kComputeRegisters>();
      compute_block<Shape, kIsCapped>(work, tile, head, memory, out_NHE, lse_NH);
    }
  } else {
    trap();
  }
}

}  // namespace

void attention_warpgroup(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream) {
  with_warpgroup_head_size(work.head_size, [&]<int E>() {
    using Shape = ForwardShape<E>;
    static_assert(Shape::kRows == query_tile_rows(AttentionKernels::kWarpgroup, E));
    const auto kernel =
        work.cap == 0 ? warpgroup_forward<Shape, false> : warpgroup_forward<Shape, true>;
    LAUNCH(kernel,
           dim3(work.num_query_tiles * work.num_kv_heads),
           dim3(kBlockThreads),
           Shape::kSharedBytes,
           stream,
           work,
           q_NHE,
           out_NHE,
           lse_NH);
  });
}

}  // namespace prescript::cuda
