// attention_warpgroup_key_gradient.cu: dK and dV of attention by the products of warpgroups,
// bfloat16, sm_90a.
//   Maths      as attention_matrix_key_gradient.cu
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, dout_NHE, k, v bf16, 16-byte aligned rows; lse_NH, projection_NH f32; dK, dV
//              of a source [rows, K·E] f32, added to; E in {64, 128}
//   Mapping    a block per (tile of 128 keys, kv head): a warpgroup copies all queries that see
//              some of them in steps of 64 folded rows, two compute 64 keys each, and take turns: a
//              turn has V·doutᵀ and Pᵀ·dout of one step, the next dSᵀ·Q of it and the scores of the
//              step behind it, while the other warpgroup turns its products into Pᵀ or dSᵀ, which
//              become left operands as they lie in registers. Every sum is added to memory once, by
//              one thread: no atomics
//   Traffic    K/V and their gradients once; q and dout once a tile, from L2
//   Roofline   8·E FLOP a query, head and key: bound by the matrix units
//   Measured   4096 causal rows, H 32, K 8, E 128: 1078 µs together with the kernel of dQ, 319
//              TFLOP/s by the five products that are needed, 32 % of 989; 8192 rows: 37 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     FlashAttention-3, arXiv 2407.08608

#include "cuda/attention_launch.h"
#include "cuda/attention_warpgroup.cuh"

namespace prescript::cuda {
namespace {

/// What the columns of a step's scores are told of their folded rows.
template <int kRows>
struct StepRows {
  float lse[kRows];  // in powers of two
  float projection[kRows];
  int32_t key_begin[kRows];
  int32_t key_end[kRows];
  SeenKeys seen_by_half[kRows / 32];  // of 32 rows

  /// Called by as many threads.
  __device__ void find(const AttentionWork& work,
                       const AttentionGradient& gradient,
                       const FoldedHead& head,
                       const Steps<kRows>& step) {
    const auto index = static_cast<int32_t>(threadIdx.x);
    const int32_t row = step.begin + index;
    float row_lse = 0;
    float row_projection = 0;
    KeyRange keys{kLast, kFirst};
    if (row < step.end) {
      row_lse = head.number_of(gradient.lse_NH, row) * kLog2E;
      row_projection = head.number_of(gradient.projection_NH, row);
      keys = keys_of(work, work.groups[step.group], head.query_of(row));
    }
    lse[index] = row_lse;
    projection[index] = row_projection;
    key_begin[index] = keys.begin;
    key_end[index] = keys.end;
    SeenKeys seen;
    seen.add(keys);
    seen.reduce();
    if (index % 32 == 0) seen_by_half[index / 32] = seen;
  }

  __device__ bool all(int32_t begin, int32_t end) const {
    return seen_by_half[0].all(begin, end) && seen_by_half[1].all(begin, end);
  }
};

template <int kE>
struct KeyGradientShape {
  static constexpr int E = kE;
  static constexpr int kKeys = 2 * kGroupRows;
  static constexpr int kRows = 64;  // of a step
  static constexpr int kStages = 4;
  using StageRing = Ring<kStages, 1>;
  using Keys = SwizzledTile<E, kKeys>;
  using Rows = SwizzledTile<E, kRows>;
  static constexpr int kStageBytes = 2 * Rows::kBytes;  // Q, dout
  static constexpr int kSharedBytes = 2 * Keys::kBytes + kStages * kStageBytes +
                                      kStages * static_cast<int>(sizeof(StepRows<kRows>));
};

/// From Sᵀ to Pᵀ, and where scores are capped to Pᵀ times the slope of the cap; `key` is the first
/// of this thread's two.
template <typename Shape, bool kIsMasked, bool kIsCapped>
__device__ __forceinline__ void exponentiate(const AttentionWork& work,
                                             const StepRows<Shape::kRows>& rows,
                                             const ThreadPlace& place,
                                             int32_t key,
                                             float (&s)[Shape::kRows / 8][4],
                                             uint32_t (&p)[Shape::kRows / 16][4],
                                             uint32_t (&sloped_p)[Shape::kRows / 16][4]) {
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;
  const float inverse_cap = kIsCapped ? 1 / work.cap : 0;
  float slope[Shape::kRows / 8][4];
#pragma unroll
  for (int n = 0; n < Shape::kRows / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int row = n * 8 + place.col + c;
      const float lse = rows.lse[row];
      KeyRange keys{};
      if (kIsMasked) keys = {rows.key_begin[row], rows.key_end[row]};
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float& x = s[n][2 * half + c];
        if (kIsCapped) {
          x = capped(x * work.scale, work.cap);
          const float ratio = x * inverse_cap;
          slope[n][2 * half + c] = 1 - ratio * ratio;
        }
        x = power_of_two(x * factor - lse);
        if (kIsMasked && (key + half * 8 < keys.begin || key + half * 8 >= keys.end)) x = 0;
        if (kIsCapped) slope[n][2 * half + c] *= x;
      }
    }
  }
  pack(s, p);
  if (kIsCapped) pack(slope, sloped_p);
}

/// From V·doutᵀ to dSᵀ; `p` is Pᵀ times the slope of the cap. It is what exponentiate rounded, an
/// error no larger than that of rounding dS itself, for which half as many registers hold it.
template <typename Shape>
__device__ __forceinline__ void differentiate(const StepRows<Shape::kRows>& rows,
                                              const ThreadPlace& place,
                                              const uint32_t (&p)[Shape::kRows / 16][4],
                                              float (&dp)[Shape::kRows / 8][4],
                                              uint32_t (&ds)[Shape::kRows / 16][4]) {
#pragma unroll
  for (int n = 0; n < Shape::kRows / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const float projection = rows.projection[n * 8 + place.col + c];
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t pair = p[n / 2][n % 2 * 2 + half];
        const float probability = __uint_as_float(c == 0 ? pair << 16 : pair & 0xFFFF0000U);
        float& x = dp[n][2 * half + c];
        x = probability * (x - projection);
      }
    }
  }
  pack(dp, ds);
}

/// What lies in the shared memory of a block.
template <typename Shape>
struct KeyGradientMemory {
  unsigned char* k_tile;
  unsigned char* v_tile;
  unsigned char* stages;         // Q, dout
  StepRows<Shape::kRows>* rows;  // of each stage

  __device__ explicit KeyGradientMemory(unsigned char* shared)
      : k_tile(shared),
        v_tile(k_tile + Shape::Keys::kBytes),
        stages(v_tile + Shape::Keys::kBytes),
        rows(reinterpret_cast<StepRows<Shape::kRows>*>(stages +
                                                       Shape::kStages * Shape::kStageBytes)) {}
};

/// Of the copying warpgroup. A stage is handed over when the next is under way.
template <typename Shape>
__device__ __forceinline__ void copy_block(const AttentionWork& work,
                                           const KeyTile& tile,
                                           const FoldedHead& head,
                                           const AttentionGradient& gradient,
                                           const KeyGradientMemory<Shape>& memory) {
  constexpr int E = Shape::E;
  constexpr int kRows = Shape::kRows;
  const AttentionSource& source = work.sources[tile.source];
  const int64_t col = int64_t{head.kv_head} * E;
  Steps<kRows> step(work, tile.first_group, tile.num_groups);
  if (step.is_done()) return;
  copy_rows<E, Shape::kKeys>(memory.k_tile,
                             static_cast<const bf16*>(source.k) + col,
                             source.k_stride,
                             tile.key_begin,
                             tile.key_end);
  copy_rows<E, Shape::kKeys>(memory.v_tile,
                             static_cast<const bf16*>(source.v) + col,
                             source.v_stride,
                             tile.key_begin,
                             tile.key_end);
  typename Shape::StageRing ring;
  for (bool is_first = true; !step.is_done(); step.advance(work), is_first = false) {
    ring.wait_until_empty();
    unsigned char* const q_tile = memory.stages + ring.stage * Shape::kStageBytes;
    copy_folded<E, kRows>(head, gradient.q_NHE, step.begin, step.end, q_tile);
    copy_folded<E, kRows>(
        head, gradient.dout_NHE, step.begin, step.end, q_tile + Shape::Rows::kBytes);
    copy_async_commit();
    if (threadIdx.x < kRows) memory.rows[ring.stage].find(work, gradient, head, step);
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

/// Adds a thread's sums of a row. All are read before the first is written: one wait for memory.
template <int kTiles>
__device__ __forceinline__ void add_sums(const float (&sums)[kTiles][4],
                                         int half,
                                         float factor,
                                         float* to) {
  auto* const pairs = reinterpret_cast<float2*>(to);
  float2 before[kTiles];
#pragma unroll
  for (int n = 0; n < kTiles; ++n) before[n] = pairs[n * 4];
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
    pairs[n * 4] = {before[n].x + sums[n][2 * half] * factor,
                    before[n].y + sums[n][2 * half + 1] * factor};
  }
}

/// Of a warpgroup that computes 64 keys.
template <typename Shape, bool kIsCapped>
__device__ __forceinline__ void compute_block(const AttentionWork& work,
                                              const KeyTile& tile,
                                              const FoldedHead& head,
                                              const KeyGradientMemory<Shape>& memory) {
  constexpr int E = Shape::E;
  constexpr int kRows = Shape::kRows;
  using Keys = typename Shape::Keys;
  using Rows = typename Shape::Rows;
  using Turn = Turns<Shape::StageRing::kBarriers + 1>;
  const ThreadPlace place;
  const int warpgroup = place.warpgroup;
  const int32_t group_key = tile.key_begin + warpgroup * kGroupRows;
  const int32_t key = tile.key_begin + place.row;

  Steps<kRows> step(work, tile.first_group, tile.num_groups);
  if (step.is_done()) return;
  float dk[E / 8][4] = {};
  float dv[E / 8][4] = {};
  float s[kRows / 8][4];
  float dp[kRows / 8][4];
  uint32_t p[kRows / 16][4];
  uint32_t sloped_p[kRows / 16][4];
  uint32_t ds[kRows / 16][4];
  const UniformTile k_rows(Keys::describe(memory.k_tile), warpgroup * Keys::kGroupStep);
  const UniformTile v_rows(Keys::describe(memory.v_tile), warpgroup * Keys::kGroupStep);
  const uint64_t all_stages = Rows::describe(memory.stages);
  typename Shape::StageRing ring;
  const auto q_of_stage = [&] {
    return UniformTile(all_stages, ring.stage * (Shape::kStageBytes / 16));
  };
  const auto exponentiate_step = [&] {
    const StepRows<kRows>& rows = memory.rows[ring.stage];
    if (rows.all(group_key, group_key + kGroupRows)) {
      exponentiate<Shape, false, kIsCapped>(work, rows, place, key, s, p, sloped_p);
    } else {
      exponentiate<Shape, true, kIsCapped>(work, rows, place, key, s, p, sloped_p);
    }
  };

  Turn::begin(warpgroup);
  ring.wait_until_full(warpgroup);
  UniformTile q = q_of_stage();
  Turn::wait(warpgroup);
  products_begin();
  multiply_rows<Keys, Rows, E>(k_rows, q, s);
  products_commit();
  Turn::pass_on(warpgroup);
  products_wait<0>(s);
  exponentiate_step();
  while (true) {
    const UniformTile dout(q + 0, Rows::kBytes / 16);
    Turn::wait(warpgroup);
    products_begin();
    multiply_rows<Keys, Rows, E>(v_rows, dout, dp);
    multiply_columns<Rows>(p, dout, dv);
    products_commit();
    Turn::pass_on(warpgroup);
    products_wait<0>(dp, dv);
    differentiate<Shape>(memory.rows[ring.stage], place, kIsCapped ? sloped_p : p, dp, ds);
    step.advance(work);
    if (step.is_done()) {
      Turn::wait(warpgroup);
      products_begin();
      multiply_columns<Rows>(ds, q, dk);
      products_commit();
      Turn::pass_on(warpgroup);
      products_wait<0>(dk);
      ring.give_back(0);
      break;
    }
    ring.advance();
    ring.wait_until_full(warpgroup);
    const UniformTile next_q = q_of_stage();
    Turn::wait(warpgroup);
    products_begin();
    multiply_rows<Keys, Rows, E>(k_rows, next_q, s);
    multiply_columns<Rows>(ds, q, dk);
    products_commit();
    Turn::pass_on(warpgroup);
    products_wait<0>(s, dk);
    ring.give_back(1);
    q = next_q;
    exponentiate_step();
  }
  Turn::end(warpgroup);

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = key + half * 8;
    if (row >= tile.key_end) continue;
    const AttentionSource& source = work.sources[tile.source];
    const int64_t col = int64_t{head.kv_head} * E + place.col;
    add_sums(dk, half, work.scale, source.dk + row * source.dk_stride + col);
    add_sums(dv, half, 1, source.dv + row * source.dv_stride + col);
  }
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(kBlockThreads, 1)
    warpgroup_key_gradient(AttentionWork work, AttentionGradient gradient) {
  if constexpr (kHasWarpgroups) {
    DYNAMIC_SHARED(shared);
    const KeyGradientMemory<Shape> memory(shared);
    const KeyTile tile = work.key_tiles[blockIdx.x / work.num_kv_heads];
    const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
    if (threadIdx.x < kCopyThreads) {
      give_registers_back<kCopyRegisters>();
      copy_block<Shape>(work, tile, head, gradient, memory);
    } else {
      take_registers<kComputeRegisters>();
      compute_block<Shape, kIsCapped>(work, tile, head, memory);
    }
  } else {
    trap();
  }
}

}  // namespace

void attention_warpgroup_key_gradient(const AttentionWork& work,
                                      const AttentionGradient& gradient,
                                      Stream stream) {
  with_warpgroup_head_size(work.head_size, [&]<int E>() {
    using Shape = KeyGradientShape<E>;
    static_assert(Shape::kKeys == key_tile_keys(AttentionKernels::kWarpgroup, E));
    const auto kernel =
        work.cap == 0 ? warpgroup_key_gradient<Shape, false> : warpgroup_key_gradient<Shape, true>;
    LAUNCH(kernel,
           dim3(work.num_key_tiles * work.num_kv_heads),
           dim3(kBlockThreads),
           Shape::kSharedBytes,
           stream,
           work,
           gradient);
  });
}

}  // namespace prescript::cuda
