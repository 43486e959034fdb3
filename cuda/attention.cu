// attention.cu: the launchers of attention, and what its kernels leave to be done by row.
//   Maths      merge: lse = log Σ exp(lse_i), out = Σ exp(lse_i − lse)·out_i over the pieces
//              that the keys of a tile were divided into; projection = rowsum(dout ∘ out)
//              Reference: src/ops/reference_attention.cc
//   Shapes     out_NHE, dout_NHE f32 or bf16; pieces, lse_NH, projection_NH f32
//   Mapping    a warp per row and head; merging in the order of the pieces
//   Traffic    every number once
//   Roofline   bound by memory
//   Measured
//   Source     Hydragen, arXiv 2402.05099

#include "cuda/attention_launch.h"
#include "cuda/attention_plain.cuh"

namespace prescript::cuda {
namespace {

constexpr int kWarps = 4;

template <typename T>
__global__ void merge(AttentionWork work, Tensor out_NHE, Tensor lse_NH, int32_t tile_rows) {
  const int E = work.head_size;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const auto index = static_cast<int32_t>(blockIdx.x * kWarps + threadIdx.x / 32);
  const int32_t place = index / tile_rows;  // tile and kv head
  if (place >= work.num_merged_tiles * work.num_kv_heads) return;
  const MergedTile tile = work.merged_tiles[place / work.num_kv_heads];
  const FoldedHead head(work, place % work.num_kv_heads);
  const int32_t tile_row = index % tile_rows;
  const int32_t row = tile.row_begin + tile_row;
  if (row >= out_NHE.rows * head.group_size) return;

  const int64_t first = partial_row(work, tile.first_slot, head.kv_head, tile_rows, tile_row);
  const int64_t step = int64_t{work.num_kv_heads} * tile_rows;
  float max = -INFINITY;
  for (int32_t i = 0; i < tile.num_slots; ++i) {
    max = fmaxf(max, work.partial_lse[first + i * step]);
  }
  float sum = 0;
  float out[kPlainCols] = {};
  for (int32_t i = 0; i < tile.num_slots; ++i) {
    const float weight = expf(work.partial_lse[first + i * step] - max);
    sum += weight;
#pragma unroll
    for (int c = 0; c < kPlainCols; ++c) {
      const int col = c * 32 + lane;
      if (col < E) out[c] += weight * work.partial_out[(first + i * step) * E + col];
    }
  }
#pragma unroll
  for (int c = 0; c < kPlainCols; ++c) {
    const int col = c * 32 + lane;
    if (col < E) head.row_of<T>(out_NHE, row)[col] = plain_number<T>(out[c] / sum);
  }
  if (lane == 0) head.number_of(lse_NH, row) = max + logf(sum);
}

template <typename T>
__global__ void project(Tensor out_NHE, Tensor dout_NHE, Tensor projection_NH) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  const int64_t row = index / projection_NH.cols;
  const int64_t head = index % projection_NH.cols;
  if (row >= out_NHE.rows) return;
  const int64_t E = out_NHE.cols / projection_NH.cols;
  const T* const out = static_cast<const T*>(out_NHE.data) + row * out_NHE.stride + head * E;
  const T* const dout = static_cast<const T*>(dout_NHE.data) + row * dout_NHE.stride + head * E;
  float sum = 0;
  for (int64_t e = lane; e < E; e += 32) sum += plain_float(out[e]) * plain_float(dout[e]);
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xFFFFFFFFU, sum, mask);
  if (lane == 0) {
    static_cast<float*>(projection_NH.data)[row * projection_NH.stride + head] = sum;
  }
}

/// A block per key, in the order of the pieces.
__global__ void add_pieces(AttentionWork work) {
  const DividedKeys divided = work.divided_keys[blockIdx.y];
  const auto key = static_cast<int32_t>(blockIdx.x);
  if (key >= divided.num_keys) return;
  const int32_t cols = work.num_kv_heads * work.head_size;
  const int64_t size = int64_t{divided.num_keys} * cols;
  const float* const dk = divided.pieces + int64_t{key} * cols;
  const float* const dv = dk + divided.num_pieces * size;
  for (auto col = static_cast<int32_t>(threadIdx.x); col < cols; col += kPlainThreads) {
    float k_sum = 0;
    float v_sum = 0;
    for (int32_t piece = 0; piece < divided.num_pieces; ++piece) {
      k_sum += dk[piece * size + col];
      v_sum += dv[piece * size + col];
    }
    divided.dk[key * divided.dk_stride + col] += k_sum;
    divided.dv[key * divided.dv_stride + col] += v_sum;
  }
}

dim3 blocks_of_warps(int64_t num_warps) {
  return dim3(static_cast<unsigned>((num_warps + kWarps - 1) / kWarps));
}

// --- the kernels of a kind ---

auto forward_of(AttentionKernels kernels) {
  if (kernels == AttentionKernels::kPlain) return attention_plain;
  return kernels == AttentionKernels::kWarpgroup ? attention_warpgroup : attention_matrix;
}
auto query_gradient_of(AttentionKernels kernels) {
  if (kernels == AttentionKernels::kPlain) return attention_plain_query_gradient;
  return kernels == AttentionKernels::kWarpgroup ? attention_warpgroup_query_gradient
                                                 : attention_matrix_query_gradient;
}
auto key_gradient_of(AttentionKernels kernels) {
  if (kernels == AttentionKernels::kPlain) return attention_plain_key_gradient;
  return kernels == AttentionKernels::kWarpgroup ? attention_warpgroup_key_gradient
                                                 : attention_matrix_key_gradient;
}

}  // namespace

void attention(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream) {
  if (work.num_query_tiles == 0) return;
  forward_of(work.kernels)(work, q_NHE, out_NHE, lse_NH, stream);
  if (work.num_merged_tiles == 0) return;
  const int32_t tile_rows = query_tile_rows(work.kernels, work.head_size);
  const auto kernel = out_NHE.dtype == DType::kFloat32 ? merge<float> : merge<bf16>;
  LAUNCH(kernel,
         blocks_of_warps(int64_t{work.num_merged_tiles} * work.num_kv_heads * tile_rows),
         dim3(32 * kWarps),
         0,
         stream,
         work,
         out_NHE,
         lse_NH,
         tile_rows);
}

void attention_input_gradient(const AttentionWork& work,
                              Tensor q_NHE,
                              Tensor out_NHE,
                              Tensor lse_NH,
                              Tensor dout_NHE,
                              Tensor projection_NH,
                              Tensor dq_NHE,
                              Stream stream) {
  if (work.num_query_tiles == 0) return;
  const auto kernel = out_NHE.dtype == DType::kFloat32 ? project<float> : project<bf16>;
  LAUNCH(kernel,
         blocks_of_warps(projection_NH.num_elements()),
         dim3(32 * kWarps),
         0,
         stream,
         out_NHE,
         dout_NHE,
         projection_NH);
  const AttentionGradient gradient{q_NHE, lse_NH, dout_NHE, projection_NH};
  query_gradient_of(work.kernels)(work, gradient, dq_NHE, stream);
  if (work.num_key_tiles == 0) return;
  key_gradient_of(work.kernels)(work, gradient, stream);
  if (work.num_divided_keys == 0) return;
  LAUNCH(add_pieces,
         dim3(work.most_divided_keys, work.num_divided_keys),
         dim3(kPlainThreads),
         0,
         stream,
         work);
}

}  // namespace prescript::cuda
