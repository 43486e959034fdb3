// attention_matrix_key_gradient.cu: dK and dV of attention by matrix instructions, bfloat16.
//   Maths      Pᵀ = exp(K·Qᵀ − lse), dSᵀ = Pᵀ∘(V·doutᵀ − projection), dV += Pᵀ·dout,
//              dK += scale·dSᵀ·Q; where scores are capped, dS times 1 − (S / cap)²
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, dout_NHE, k, v bf16, 16-byte aligned rows; lse_NH, projection_NH f32; dK, dV
//              of a source [rows, K·E] f32, added to
//   Mapping    a block per (tile of keys, kv head): 4 warps of 16 keys, over all queries that see
//              some of them in steps of 32 folded rows; dK and dV stay in registers, up to E = 96
//              beside the left operands K and V. E = 256: two warps hold half of the columns each
//              and both compute P. Every sum is added to memory once, by one thread: no atomics
//   Traffic    K/V and their gradients once; q and dout once a tile, from L2
//   Roofline   8·E FLOP a query, head and key: bound by the matrix units
//   Measured   dQ, dK and dV of 4096 causal rows, H 32, K 8, E 128, together: 2351 µs, 146 TFLOP/s
//              by the five products that are needed, 15 % of 989
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (docs/gpu)
//   Source     FlashAttention-2, arXiv 2307.08691, section 3.1

#include <type_traits>

#include "cuda/attention_launch.h"
#include "cuda/attention_matrix.cuh"

namespace prescript::cuda {
namespace {

template <int kE>
struct KeyGradientShape {
  static constexpr int E = kE;
  static constexpr int kColumnParts = E <= 128 ? 1 : 2;  // that E is divided into among warps
  static constexpr int kCols = E / kColumnParts;
  static constexpr int kThreads = 128;
  static constexpr int kRowTiles = 1;  // of 16 keys, of a warp
  static constexpr int kKeys = 4 / kColumnParts * kRowTiles * 16;
  static constexpr int kRows = 32;  // of a step
  // K and V as left operands: held as far as registers reach beside dK and dV.
  using LeftRows = std::conditional_t<E <= 96, HeldRows<E, kRowTiles>, TileRows<E>>;
};

/// What the columns of a step's scores are told of their folded rows.
template <int kRows>
struct StepRows {
  float lse[kRows];  // in powers of two
  float projection[kRows];
  int32_t key_begin[kRows];
  int32_t key_end[kRows];
  SeenKeys seen;
};

/// The same of one row, which a lane of the first warp reads a step ahead.
struct StepRow {
  float lse = 0;
  float projection = 0;
  KeyRange keys{kLast, kFirst};

  template <typename Shape>
  __device__ void read(const AttentionWork& work,
                       const AttentionGradient& gradient,
                       const FoldedHead& head,
                       const Steps<Shape::kRows>& step,
                       int lane) {
    *this = {};
    const int32_t row = step.begin + lane;
    if (row >= step.end) return;
    lse = head.number_of(gradient.lse_NH, row) * kLog2E;
    projection = head.number_of(gradient.projection_NH, row);
    keys = keys_of(work, work.groups[step.group], head.query_of(row));
  }
  template <int kRows>
  __device__ void write(StepRows<kRows>& rows, int lane) const {
    static_assert(kRows == 32);
    rows.lse[lane] = lse;
    rows.projection[lane] = projection;
    rows.key_begin[lane] = keys.begin;
    rows.key_end[lane] = keys.end;
    SeenKeys seen;
    seen.add(keys);
    seen.reduce();
    if (lane == 0) rows.seen = seen;
  }
};

template <typename Shape>
constexpr int kSharedBytes =
    (2 * Shape::kKeys + 4 * Shape::kRows) * kTileStride<Shape::E>* static_cast<int>(sizeof(bf16)) +
    2 * static_cast<int>(sizeof(StepRows<Shape::kRows>));

/// Starts to copy a step's rows of q, and behind them of dout. A lane finds out where one of the
/// rows lies, in units of 16 bytes, and tells the others of its warp.
template <typename Shape>
__device__ void copy_step(const AttentionGradient& gradient,
                          const FoldedHead& head,
                          const Steps<Shape::kRows>& step,
                          bf16* stage) {
  static_assert(Shape::kRows == 32);
  constexpr int kUnits = Shape::E / 8;
  const Tensor& q = gradient.q_NHE;
  const Tensor& dout = gradient.dout_NHE;
  const int32_t row_of_lane = step.begin + static_cast<int32_t>(threadIdx.x) % 32;
  int32_t q_of_lane = -1;
  int32_t dout_of_lane = -1;
  if (row_of_lane < step.end) {
    const int32_t query = head.query_of(row_of_lane);
    const int32_t first = head.head_of(row_of_lane) * kUnits;
    q_of_lane = query * static_cast<int32_t>(q.stride / 8) + first;
    dout_of_lane = query * static_cast<int32_t>(dout.stride / 8) + first;
  }
  bf16* const dout_stage = stage + Shape::kRows * kTileStride<Shape::E>;
#pragma unroll 2
  for (int first = 0; first < Shape::kRows * kUnits; first += Shape::kThreads) {
    const int i = first + static_cast<int>(threadIdx.x);
    const int row = i / kUnits;
    const int unit = i % kUnits;
    const int32_t q_unit = __shfl_sync(0xFFFFFFFFU, q_of_lane, row % 32);
    const int32_t dout_unit = __shfl_sync(0xFFFFFFFFU, dout_of_lane, row % 32);
    if (row >= Shape::kRows) continue;
    const bool exists = q_unit >= 0;
    const int to = row * kTileStride<Shape::E> + unit * 8;
    const int64_t q_at = exists ? int64_t{q_unit + unit} * 8 : 0;
    const int64_t dout_at = exists ? int64_t{dout_unit + unit} * 8 : 0;
    copy_async_16(stage + to, static_cast<const bf16*>(q.data) + q_at, exists);
    copy_async_16(dout_stage + to, static_cast<const bf16*>(dout.data) + dout_at, exists);
  }
}

/// From Sᵀ and V·doutᵀ to Pᵀ and dSᵀ, in place. Lane l holds keys l / 4 and l / 4 + 8 of a tile of
/// 16 and, of every 8 rows, the pair from l % 4 * 2 on.
template <typename Shape, bool kIsMasked, bool kIsCapped>
__device__ __forceinline__ void differentiate(const AttentionWork& work,
                                              const StepRows<Shape::kRows>& rows,
                                              int32_t first_key,  // of this lane
                                              int lane,
                                              float (&p)[Shape::kRowTiles][Shape::kRows / 8][4],
                                              float (&ds)[Shape::kRowTiles][Shape::kRows / 8][4]) {
  const float factor = kIsCapped ? kLog2E : work.scale_in_twos;
  const float inverse_cap = kIsCapped ? 1 / work.cap : 0;
#pragma unroll
  for (int n = 0; n < Shape::kRows / 8; ++n) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int row = n * 8 + lane % 4 * 2 + c;
      const float lse = rows.lse[row];
      const float projection = rows.projection[row];
      KeyRange keys{};
      if (kIsMasked) keys = {rows.key_begin[row], rows.key_end[row]};
#pragma unroll
      for (int i = 0; i < Shape::kRowTiles; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float score = p[i][n][2 * half + c];
          float slope = 1;
          if (kIsCapped) {
            score = capped(score * work.scale, work.cap);
            const float ratio = score * inverse_cap;
            slope = 1 - ratio * ratio;
          }
          float& probability = p[i][n][2 * half + c];
          float& x = ds[i][n][2 * half + c];
          probability = power_of_two(score * factor - lse);
          x = probability * (x - projection) * slope;
          const int32_t key = first_key + i * 16 + half * 8;
          if (kIsMasked && (key < keys.begin || key >= keys.end)) probability = x = 0;
        }
      }
    }
  }
}

template <typename Shape, bool kIsCapped>
__global__ void __launch_bounds__(Shape::kThreads, 2)
    key_gradient(AttentionWork work, AttentionGradient gradient) {
  constexpr int E = Shape::E;
  constexpr int kRowTiles = Shape::kRowTiles;
  constexpr int kRows = Shape::kRows;
  constexpr int kCols = Shape::kCols;
  constexpr int kStage = 2 * kRows * kTileStride<E>;
  DYNAMIC_SHARED(shared);
  auto* const k_tile = reinterpret_cast<bf16*>(shared);         // [kKeys, E]
  bf16* const v_tile = k_tile + Shape::kKeys * kTileStride<E>;  // [kKeys, E]
  bf16* const stages = v_tile + Shape::kKeys * kTileStride<E>;  // [2][Q, dout][kRows, E]
  auto* const step_rows = reinterpret_cast<StepRows<kRows>*>(stages + 2 * kStage);  // [2]

  // Read again where it is needed, as registers are scarce.
  const KeyTile& tile = work.key_tiles[blockIdx.x / work.num_kv_heads];
  const AttentionSource& source = work.sources[tile.source];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int warp_key = warp / Shape::kColumnParts * kRowTiles * 16;
  const int first_col = warp % Shape::kColumnParts * kCols;
  const int64_t head_begin = int64_t{head.kv_head} * E;

  Steps<kRows> step(work, tile.first_group, tile.num_groups);
  if (step.is_done()) return;
  copy_keys<E, Shape::kKeys, Shape::kThreads>(k_tile,
                                              static_cast<const bf16*>(source.k) + head_begin,
                                              source.k_stride,
                                              tile.key_begin,
                                              tile.key_end);
  copy_keys<E, Shape::kKeys, Shape::kThreads>(v_tile,
                                              static_cast<const bf16*>(source.v) + head_begin,
                                              source.v_stride,
                                              tile.key_begin,
                                              tile.key_end);
  copy_async_commit();
  copy_step<Shape>(gradient, head, step, stages);
  copy_async_commit();
  StepRow next_row;
  if (warp == 0) {
    next_row.template read<Shape>(work, gradient, head, step, lane);
    next_row.write(step_rows[0], lane);
  }
  copy_async_wait<1>();
  __syncthreads();
  const typename Shape::LeftRows k_rows(k_tile + warp_key * kTileStride<E>, lane);
  const typename Shape::LeftRows v_rows(v_tile + warp_key * kTileStride<E>, lane);

  float dk[kRowTiles][kCols / 8][4] = {};
  float dv[kRowTiles][kCols / 8][4] = {};
  const int32_t warp_begin = tile.key_begin + warp_key;
  const int32_t warp_end = min(warp_begin + kRowTiles * 16, tile.key_end);
  for (int parity = 0; !step.is_done(); parity ^= 1) {
    copy_async_wait<0>();
    __syncthreads();
    step.advance(work);
    const bool has_next = !step.is_done();
    if (has_next) copy_step<Shape>(gradient, head, step, stages + (parity ^ 1) * kStage);
    copy_async_commit();
    if (has_next && warp == 0) next_row.template read<Shape>(work, gradient, head, step, lane);

    const StepRows<kRows>& rows = step_rows[parity];
    if (warp_begin < warp_end && !rows.seen.none(warp_begin, warp_end)) {
      const bf16* const q_tile = stages + parity * kStage;
      const bf16* const dout_tile = q_tile + kRows * kTileStride<E>;
      float p[kRowTiles][kRows / 8][4];
      float ds[kRowTiles][kRows / 8][4];
      multiply_rows<E, kRowTiles, kRows>(k_rows, q_tile, lane, p);
      multiply_rows<E, kRowTiles, kRows>(v_rows, dout_tile, lane, ds);
      const int32_t first_key = warp_begin + lane / 4;
      if (rows.seen.all(warp_begin, warp_begin + kRowTiles * 16)) {
        differentiate<Shape, false, kIsCapped>(work, rows, first_key, lane, p, ds);
      } else {
        differentiate<Shape, true, kIsCapped>(work, rows, first_key, lane, p, ds);
      }
      multiply_columns<E, kRowTiles, kRows, kCols>(p, dout_tile + first_col, lane, dv);
      multiply_columns<E, kRowTiles, kRows, kCols>(ds, q_tile + first_col, lane, dk);
    }
    if (has_next && warp == 0) next_row.write(step_rows[parity ^ 1], lane);
  }

#pragma unroll
  for (int i = 0; i < kRowTiles; ++i) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int32_t key = warp_begin + i * 16 + half * 8 + lane / 4;
      if (key >= tile.key_end) continue;
      const int64_t col = head_begin + first_col + lane % 4 * 2;
      auto* const to_k = reinterpret_cast<float2*>(source.dk + key * source.dk_stride + col);
      auto* const to_v = reinterpret_cast<float2*>(source.dv + key * source.dv_stride + col);
#pragma unroll
      for (int n = 0; n < kCols / 8; ++n) {
        float2& k_sum = to_k[n * 4];
        k_sum = {k_sum.x + dk[i][n][2 * half] * work.scale,
                 k_sum.y + dk[i][n][2 * half + 1] * work.scale};
        float2& v_sum = to_v[n * 4];
        v_sum = {v_sum.x + dv[i][n][2 * half], v_sum.y + dv[i][n][2 * half + 1]};
      }
    }
  }
}

}  // namespace

void attention_matrix_key_gradient(const AttentionWork& work,
                                   const AttentionGradient& gradient,
                                   Stream stream) {
  with_head_size(work.head_size, [&]<int E>() {
    using Shape = KeyGradientShape<E>;
    static_assert(Shape::kKeys == key_tile_keys(AttentionKernels::kMatrix, E));
    const auto kernel = work.cap == 0 ? key_gradient<Shape, false> : key_gradient<Shape, true>;
    LAUNCH(kernel,
           dim3(work.num_key_tiles * work.num_kv_heads),
           dim3(Shape::kThreads),
           kSharedBytes<Shape>,
           stream,
           work,
           gradient);
  });
}

}  // namespace prescript::cuda
