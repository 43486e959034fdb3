// attention_warpgroup_query_gradient.cu: dQ of attention by the products of warpgroups, bfloat16,
// sm_90a.
//   Maths      as attention_matrix_query_gradient.cu
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, dout_NHE, k, v bf16, 16-byte aligned rows; lse_NH, projection_NH, dq_NHE f32;
//              E in {64, 128}
//   Mapping    as the forward, with steps of 64 keys: a turn has dS·K of one step and S and dout·Vᵀ
//              of the next. Every dQ is written by one thread: no atomics, and P is recomputed once
//              more by the kernel of dK and dV
//   Traffic    q, dout and dq once; K/V once a tile, from L2
//   Roofline   6·E FLOP a query, head and key: bound by the matrix units
//   Measured   4096 causal rows, H 32, K 8, E 128: 1078 µs together with the kernel of dK, dV, 319
//              TFLOP/s by the five products that are needed, 32 % of 989; 8192 rows: 37 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     FlashAttention-3, arXiv 2407.08608

#include "cuda/attention_launch.h"
#include "cuda/attention_warpgroup.cuh"

namespace prescript::cuda {
namespace {

template <int kE>
struct QueryGradientShape {
  static constexpr int E = kE;
  static constexpr int kRows = 2 * kGroupRows;
  static constexpr int kKeys = 64;
  static constexpr int kStages = 4;
  using StageRing = Ring<kStages, 1>;
  using Rows = SwizzledTile<E, kRows>;
  using Keys = SwizzledTile<E, kKeys>;
  static constexpr int kStageBytes = 2 * Keys::kBytes;  // K, V
  static constexpr int kSharedBytes = 2 * Rows::kBytes + kStages * kStageBytes +
                                      kStages * static_cast<int>(sizeof(BlockKeys<kRows>));
};

/// dS of scores S and of dout·Vᵀ, in place of the latter.
template <typename Shape, bool kIsMasked, bool kIsCapped>
__device__ __forceinline__ void differentiate(const AttentionWork& work,
                                              const BlockKeys<Shape::kRows>& block_keys,
                                              const ThreadPlace& place,
                                              int32_t first_key,
                                              const float (&lse)[2],  // in powers of two
                                              const float (&projection)[2],
                                              const float (&s)[Shape::kKeys / 8][4],
                                              float (&ds)[Shape::kKeys / 8][4]) {
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;
  const float inverse_cap = kIsCapped ? 1 / work.cap : 0;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    KeyRange keys{};  // counted from the thread's first
    if (kIsMasked) {
      keys = block_keys.keys[place.row + half * 8];
      keys.begin -= first_key + place.col;
      keys.end -= first_key + place.col;
    }
#pragma unroll
    for (int n = 0; n < Shape::kKeys / 8; ++n) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float score = s[n][2 * half + c];
        float slope = 1;
        if (kIsCapped) {
          score = capped(score * work.scale, work.cap);
          const float ratio = score * inverse_cap;
          slope = 1 - ratio * ratio;
        }
        const float p = power_of_two(score * factor - lse[half]);
        float& x = ds[n][2 * half + c];
        x = p * (x - projection[half]) * slope;
        const int32_t key = n * 8 + c;
        if (kIsMasked && (key < keys.begin || key >= keys.end)) x = 0;
      }
    }
  }
}

/// What lies in the shared memory of a block.
template <typename Shape>
struct QueryGradientMemory {
  unsigned char* q_tile;
  unsigned char* dout_tile;
  unsigned char* stages;          // K, V
  BlockKeys<Shape::kRows>* keys;  // of each stage

  __device__ explicit QueryGradientMemory(unsigned char* shared)
      : q_tile(shared),
        dout_tile(q_tile + Shape::Rows::kBytes),
        stages(dout_tile + Shape::Rows::kBytes),
        keys(reinterpret_cast<BlockKeys<Shape::kRows>*>(stages +
                                                        Shape::kStages * Shape::kStageBytes)) {}
};

/// Of the copying warpgroup. A stage is handed over when the next is under way.
template <typename Shape>
__device__ __forceinline__ void copy_block(const AttentionWork& work,
                                           const QueryTile& tile,
                                           const FoldedHead& head,
                                           const AttentionGradient& gradient,
                                           const QueryGradientMemory<Shape>& memory) {
  constexpr int E = Shape::E;
  constexpr int kKeys = Shape::kKeys;
  const auto num_rows = static_cast<int32_t>(gradient.q_NHE.rows) * head.group_size;
  const int64_t col = int64_t{head.kv_head} * E;
  Steps<kKeys> step(work, tile.first_group, tile.num_groups);
  if (step.is_done()) return;
  copy_folded<E, Shape::kRows>(head, gradient.q_NHE, tile.row_begin, num_rows, memory.q_tile);
  copy_folded<E, Shape::kRows>(head, gradient.dout_NHE, tile.row_begin, num_rows, memory.dout_tile);
  typename Shape::StageRing ring;
  int32_t group = -1;
  int unknown_stages = 0;  // whose keys are of another group
  for (bool is_first = true; !step.is_done(); step.advance(work), is_first = false) {
    const AttentionSource& source = work.sources[work.groups[step.group].source];
    ring.wait_until_empty();
    unsigned char* const k_tile = memory.stages + ring.stage * Shape::kStageBytes;
    copy_rows<E, kKeys>(
        k_tile, static_cast<const bf16*>(source.k) + col, source.k_stride, step.begin, step.end);
    copy_rows<E, kKeys>(k_tile + Shape::Keys::kBytes,
                        static_cast<const bf16*>(source.v) + col,
                        source.v_stride,
                        step.begin,
                        step.end);
    copy_async_commit();
    if (step.group != group) {
      group = step.group;
      unknown_stages = Shape::kStages;
    }
    if (unknown_stages > 0) {
      --unknown_stages;
      memory.keys[ring.stage].find(work, group, head, tile.row_begin, num_rows);
    }
    if (!is_first) {
      copy_async_wait<1>();
      publish_to_products();
      ring.hand_over(1);
    }
    ring.advance();
  }
  copy_async_wait<0>();
  publish_to_products();
  ring.hand_over(1);
  ring.wait_for_all();
}

/// Of a warpgroup that computes 64 rows.
template <typename Shape, bool kIsCapped>
__device__ __forceinline__ void compute_block(const AttentionWork& work,
                                              const QueryTile& tile,
                                              const FoldedHead& head,
                                              const AttentionGradient& gradient,
                                              const QueryGradientMemory<Shape>& memory,
                                              const Tensor& dq_NHE) {
  constexpr int E = Shape::E;
  constexpr int kKeys = Shape::kKeys;
  using Rows = typename Shape::Rows;
  using Keys = typename Shape::Keys;
  using Turn = Turns<Shape::StageRing::kBarriers + 1>;
  const auto num_rows = static_cast<int32_t>(dq_NHE.rows) * head.group_size;
  const ThreadPlace place;
  const int warpgroup = place.warpgroup;

  float dq[E / 8][4] = {};
  float lse[2] = {};
  float projection[2] = {};
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t row = tile.row_begin + place.row + half * 8;
    if (row >= num_rows) continue;
    lse[half] = head.number_of(gradient.lse_NH, row) * kLog2E;
    projection[half] = head.number_of(gradient.projection_NH, row);
  }

  Steps<kKeys> step(work, tile.first_group, tile.num_groups);
  if (!step.is_done()) {
    typename Shape::StageRing ring;
    const uint64_t q_rows = Rows::describe(memory.q_tile) + warpgroup * Rows::kGroupStep;
    const uint64_t dout_rows = Rows::describe(memory.dout_tile) + warpgroup * Rows::kGroupStep;
    const uint64_t all_stages = Keys::describe(memory.stages);
    float s[kKeys / 8][4];
    float ds[kKeys / 8][4];
    uint32_t a[kKeys / 16][4];
    const auto k_rows = [&] { return all_stages + ring.stage * (Shape::kStageBytes / 16); };
    const auto multiply_keys_and_values = [&] {
      multiply_rows<Rows, Keys, E>(q_rows, k_rows(), s);
      multiply_rows<Rows, Keys, E>(dout_rows, k_rows() + Keys::kBytes / 16, ds);
      products_commit();
    };
    // From raw scores and dout·Vᵀ to dS.
    const auto differentiate_step = [&] {
      const BlockKeys<Shape::kRows>& keys = memory.keys[ring.stage];
      if (keys.all(warpgroup, step.begin, step.begin + kKeys)) {
        differentiate<Shape, false, kIsCapped>(
            work, keys, place, step.begin, lse, projection, s, ds);
      } else {
        differentiate<Shape, true, kIsCapped>(
            work, keys, place, step.begin, lse, projection, s, ds);
      }
      pack(ds, a);
    };

    Turn::begin(warpgroup);
    ring.wait_until_full(warpgroup);
    Turn::wait(warpgroup);
    products_begin();
    multiply_keys_and_values();
    Turn::pass_on(warpgroup);
    products_wait<0>(s, ds);
    differentiate_step();
    for (step.advance(work); !step.is_done(); step.advance(work)) {
      const uint64_t before = k_rows();
      ring.advance();
      ring.wait_until_full(warpgroup);
      Turn::wait(warpgroup);
      products_begin();
      multiply_columns<Keys>(a, before, dq);
      multiply_keys_and_values();
      Turn::pass_on(warpgroup);
      products_wait<0>(s, ds, dq);
      ring.give_back(1);
      differentiate_step();
    }
    Turn::wait(warpgroup);
    products_begin();
    multiply_columns<Keys>(a, k_rows(), dq);
    products_commit();
    Turn::pass_on(warpgroup);
    products_wait<0>(dq);
    ring.give_back(0);
    Turn::end(warpgroup);
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t row = tile.row_begin + place.row + half * 8;
    if (row >= num_rows) continue;
    float* const to = head.row_of<float>(dq_NHE, row) + place.col;
#pragma unroll
    for (int n = 0; n < E / 8; ++n) {
      *reinterpret_cast<float2*>(to + n * 8) = {dq[n][2 * half] * work.scale,
                                                dq[n][2 * half + 1] * work.scale};
    }
  }
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(kBlockThreads, 1)
    warpgroup_query_gradient(AttentionWork work, AttentionGradient gradient, Tensor dq_NHE) {
  if constexpr (kHasWarpgroups) {
    DYNAMIC_SHARED(shared);
    const QueryGradientMemory<Shape> memory(shared);
    const QueryTile tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
    const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
    if (threadIdx.x < kCopyThreads) {
      give_registers_back<kCopyRegisters>();
      copy_block<Shape>(work, tile, head, gradient, memory);
    } else {
      take_registers<kComputeRegisters>();
      compute_block<Shape, kIsCapped>(work, tile, head, gradient, memory, dq_NHE);
    }
  } else {
    trap();
  }
}

}  // namespace

void attention_warpgroup_query_gradient(const AttentionWork& work,
                                        const AttentionGradient& gradient,
                                        Tensor dq_NHE,
                                        Stream stream) {
  with_warpgroup_head_size(work.head_size, [&]<int E>() {
    using Shape = QueryGradientShape<E>;
    static_assert(Shape::kRows == query_tile_rows(AttentionKernels::kWarpgroup, E));
    const auto kernel = work.cap == 0 ? warpgroup_query_gradient<Shape, false>
                                      : warpgroup_query_gradient<Shape, true>;
    LAUNCH(kernel,
           dim3(work.num_query_tiles * work.num_kv_heads),
           dim3(kBlockThreads),
           Shape::kSharedBytes,
           stream,
           work,
           gradient,
           dq_NHE);
  });
}

}  // namespace prescript::cuda
