// attention_plain_gradient.cu: the input gradient of attention of float32, and of bfloat16 where
// head size or alignment keep it from the matrix instructions.
//   Maths      P = exp(S − lse), dS = P∘(dout·Vᵀ − projection), dQ = scale·dS·K, dV += Pᵀ·dout,
//              dK += scale·dSᵀ·Q; where scores are capped, dS times 1 − (S / cap)²
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, dout_NHE, k, v f32 or bf16; lse_NH, projection_NH, dq_NHE f32; dK and dV of a
//              source [rows, K·E] f32, added to; any E <= 256
//   Mapping    dQ: as the forward. dK and dV: a block of 4 warps per (tile of 32 keys, kv head),
//              over the rows that see some of them in steps of 32: of the scores a warp has 8 keys
//              and a lane one row, of dK and dV a lane every 32nd column. No atomics
//   Traffic    K/V once a tile of rows, q and dout once a tile of keys
//   Roofline   bound by reads of shared memory: 9 for 8 multiply-adds
//   Measured
//   Source     FlashAttention-2, arXiv 2307.08691, section 3.1

#include "cuda/attention_launch.h"
#include "cuda/attention_plain.cuh"

namespace prescript::cuda {
namespace {

/// What the derivative of a score needs beside it.
struct RowFacts {
  float lse = 0;
  float projection = 0;
  KeyRange keys{kLast, kFirst};
};

struct Derivative {
  float probability;
  float dscore;
};

/// From a score before the cap and dout·v.
__device__ Derivative
differentiate(float score, float dprobability, float cap, const RowFacts& row, int32_t key) {
  if (key < row.keys.begin || key >= row.keys.end) return {0, 0};
  float slope = 1;
  if (cap != 0) {
    const float ratio = tanhf(score / cap);
    score = cap * ratio;
    slope = 1 - ratio * ratio;
  }
  const float probability = expf(score - row.lse);
  return {probability, probability * (dprobability - row.projection) * slope};
}

template <typename T>
__global__ void __launch_bounds__(kPlainThreads)
    query_gradient(AttentionWork work, AttentionGradient gradient, Tensor dq_NHE) {
  const int E = work.head_size;
  const int stride = plain_stride(E);
  DYNAMIC_SHARED(shared);
  auto* const q_tile = reinterpret_cast<float*>(shared);  // [kPlainRows, E]
  float* const dout_tile = q_tile + kPlainRows * stride;  // [kPlainRows, E]
  float* const k_tile = dout_tile + kPlainRows * stride;  // [kPlainKeys, E]
  float* const v_tile = k_tile + kPlainKeys * stride;     // [kPlainKeys, E]
  SHARED_ARRAY(float, dscores, [kPlainRows][kPlainKeys]);
  SHARED_ARRAY(WarpKeys<kPlainHeld>, keys_of_warps, [kPlainRows / kPlainHeld]);

  const QueryTile tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const auto num_rows = static_cast<int32_t>(dq_NHE.rows) * head.group_size;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * kPlainHeld;
  WarpKeys<kPlainHeld>& warp_keys = keys_of_warps[threadIdx.x / 32];

  read_folded<T>(q_tile, gradient.q_NHE, head, tile.row_begin, num_rows, work.scale);
  read_folded<T>(dout_tile, gradient.dout_NHE, head, tile.row_begin, num_rows, 1);
  float dq[kPlainHeld][kPlainCols] = {};
  RowFacts rows[kPlainHeld];
#pragma unroll
  for (int i = 0; i < kPlainHeld; ++i) {
    const int32_t row = tile.row_begin + warp_row + i;
    if (row >= num_rows) continue;
    rows[i].lse = head.number_of(gradient.lse_NH, row);
    rows[i].projection = head.number_of(gradient.projection_NH, row);
  }

  int32_t known_group = -1;
  for (Steps<kPlainKeys> step(work, tile.first_group, tile.num_groups); !step.is_done();
       step.advance(work)) {
    __syncthreads();
    const AttentionSource& source = work.sources[work.groups[step.group].source];
    read_keys<T>(k_tile, source.k, source.k_stride, head, step.begin, step.end);
    read_keys<T>(v_tile, source.v, source.v_stride, head, step.begin, step.end);
    __syncthreads();
    if (step.group != known_group) {
      known_group = step.group;
      warp_keys.find(work, known_group, head, tile.row_begin + warp_row, num_rows, lane);
    }
    if (warp_keys.seen.none(step.begin, step.begin + kPlainKeys)) continue;

    float s[kPlainHeld];
    float ds[kPlainHeld];
    multiply_rows(q_tile + warp_row * stride, k_tile + lane * stride, E, stride, s);
    multiply_rows(dout_tile + warp_row * stride, v_tile + lane * stride, E, stride, ds);
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) {
      rows[i].keys = warp_keys.keys[i];
      dscores[warp_row + i][lane] =
          differentiate(s[i], ds[i], work.cap, rows[i], step.begin + lane).dscore;
    }
    __syncwarp();
    add_columns(&dscores[warp_row], k_tile, E, stride, lane, dq);
  }

#pragma unroll
  for (int i = 0; i < kPlainHeld; ++i) {
    const int32_t row = tile.row_begin + warp_row + i;
    if (row >= num_rows) continue;
#pragma unroll
    for (int c = 0; c < kPlainCols; ++c) {
      const int col = c * 32 + lane;
      if (col < E) head.row_of<float>(dq_NHE, row)[col] = dq[i][c] * work.scale;
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kPlainThreads)
    key_gradient(AttentionWork work, AttentionGradient gradient) {
  const int E = work.head_size;
  const int stride = plain_stride(E);
  DYNAMIC_SHARED(shared);
  auto* const k_tile = reinterpret_cast<float*>(shared);  // [kPlainKeys, E], times scale
  float* const v_tile = k_tile + kPlainKeys * stride;     // [kPlainKeys, E]
  float* const q_tile = v_tile + kPlainKeys * stride;     // [kPlainRows, E]
  float* const dout_tile = q_tile + kPlainRows * stride;  // [kPlainRows, E]
  // Of each key, by row.
  SHARED_ARRAY(float, probabilities, [kPlainKeys][kPlainRows]);
  SHARED_ARRAY(float, dscores, [kPlainKeys][kPlainRows]);

  const KeyTile tile = work.key_tiles[blockIdx.x / work.num_kv_heads];
  const AttentionSource& source = work.sources[tile.source];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_key = static_cast<int>(threadIdx.x) / 32 * kPlainHeld;

  read_keys<T>(k_tile, source.k, source.k_stride, head, tile.key_begin, tile.key_end);
  read_keys<T>(v_tile, source.v, source.v_stride, head, tile.key_begin, tile.key_end);
  float dk[kPlainHeld][kPlainCols] = {};
  float dv[kPlainHeld][kPlainCols] = {};
  for (Steps<kPlainRows> step(work, tile.first_group, tile.num_groups); !step.is_done();
       step.advance(work)) {
    __syncthreads();
    read_folded<T>(q_tile, gradient.q_NHE, head, step.begin, step.end, work.scale);
    read_folded<T>(dout_tile, gradient.dout_NHE, head, step.begin, step.end, 1);
    RowFacts row;
    if (step.begin + lane < step.end) {
      row.lse = head.number_of(gradient.lse_NH, step.begin + lane);
      row.projection = head.number_of(gradient.projection_NH, step.begin + lane);
      row.keys = keys_of(work, work.groups[step.group], head.query_of(step.begin + lane));
    }
    __syncthreads();
    float s[kPlainHeld];
    float ds[kPlainHeld];
    multiply_rows(k_tile + warp_key * stride, q_tile + lane * stride, E, stride, s);
    multiply_rows(v_tile + warp_key * stride, dout_tile + lane * stride, E, stride, ds);
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) {
      const Derivative derivative =
          differentiate(s[i], ds[i], work.cap, row, tile.key_begin + warp_key + i);
      probabilities[warp_key + i][lane] = derivative.probability;
      dscores[warp_key + i][lane] = derivative.dscore;
    }
    __syncwarp();
    add_columns(&probabilities[warp_key], dout_tile, E, stride, lane, dv);
    add_columns(&dscores[warp_key], q_tile, E, stride, lane, dk);
  }

#pragma unroll
  for (int i = 0; i < kPlainHeld; ++i) {
    const int32_t key = tile.key_begin + warp_key + i;
    if (key >= tile.key_end) continue;
#pragma unroll
    for (int c = 0; c < kPlainCols; ++c) {
      const int col = c * 32 + lane;
      if (col >= E) continue;
      const int64_t at = int64_t{head.kv_head} * E + col;
      source.dk[key * source.dk_stride + at] += dk[i][c];
      source.dv[key * source.dv_stride + at] += dv[i][c];
    }
  }
}

}  // namespace

void attention_plain_query_gradient(const AttentionWork& work,
                                    const AttentionGradient& gradient,
                                    Tensor dq_NHE,
                                    Stream stream) {
  const auto kernel =
      gradient.q_NHE.dtype == DType::kFloat32 ? query_gradient<float> : query_gradient<bf16>;
  LAUNCH(kernel,
         dim3(work.num_query_tiles * work.num_kv_heads),
         dim3(kPlainThreads),
         plain_bytes(4, work.head_size),
         stream,
         work,
         gradient,
         dq_NHE);
}

void attention_plain_key_gradient(const AttentionWork& work,
                                  const AttentionGradient& gradient,
                                  Stream stream) {
  static_assert(kPlainKeys == key_tile_keys(AttentionKernels::kPlain, 8));
  const auto kernel =
      gradient.q_NHE.dtype == DType::kFloat32 ? key_gradient<float> : key_gradient<bf16>;
  LAUNCH(kernel,
         dim3(work.num_key_tiles * work.num_kv_heads),
         dim3(kPlainThreads),
         plain_bytes(4, work.head_size),
         stream,
         work,
         gradient);
}

}  // namespace prescript::cuda
