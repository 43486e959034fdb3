// attention_plain.cu: attention of float32, and of bfloat16 where head size or alignment keep it
// from the matrix instructions.
//   Maths      out = softmax(scale·q·kᵀ)·v over the keys that a row sees, one running maximum and
//              sum a row (online softmax), lse = natural log of the sum of the exponentials
//              Reference: src/ops/reference_attention.cc
//   Shapes     q_NHE, out_NHE, k and v of a source [rows, K·E] f32 or bf16; lse_NH f32;
//              any E up to 256
//   Mapping    a block of 4 warps per (tile of 32 folded rows, kv head), keys in steps of 32:
//              of the scores a warp has 8 rows and a lane one key, of out a lane every 32nd column
//   Traffic    q and out once; K/V once a tile
//   Roofline   bound by reads of shared memory: 9 for 8 multiply-adds
//   Measured
//   Source     FlashAttention-2, arXiv 2307.08691

#include "cuda/attention_launch.h"
#include "cuda/attention_plain.cuh"

namespace prescript::cuda {
namespace {

template <typename T>
__global__ void __launch_bounds__(kPlainThreads)
    forward(AttentionWork work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH) {
  const int E = work.head_size;
  const int stride = plain_stride(E);
  DYNAMIC_SHARED(shared);
  auto* const q_tile = reinterpret_cast<float*>(shared);  // [kPlainRows, E]
  float* const k_tile = q_tile + kPlainRows * stride;     // [kPlainKeys, E]
  float* const v_tile = k_tile + kPlainKeys * stride;     // [kPlainKeys, E]
  SHARED_ARRAY(float, scores, [kPlainRows][kPlainKeys]);
  SHARED_ARRAY(WarpKeys<kPlainHeld>, keys_of_warps, [kPlainRows / kPlainHeld]);

  const QueryTile tile = work.query_tiles[blockIdx.x / work.num_kv_heads];
  const FoldedHead head(work, static_cast<int32_t>(blockIdx.x) % work.num_kv_heads);
  const auto num_rows = static_cast<int32_t>(q_NHE.rows) * head.group_size;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = static_cast<int>(threadIdx.x) / 32 * kPlainHeld;
  WarpKeys<kPlainHeld>& warp_keys = keys_of_warps[threadIdx.x / 32];

  read_folded<T>(q_tile, q_NHE, head, tile.row_begin, num_rows, work.scale);
  float out[kPlainHeld][kPlainCols] = {};
  float max[kPlainHeld];
  float sum[kPlainHeld] = {};
  for (int i = 0; i < kPlainHeld; ++i) max[i] = -INFINITY;

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
    multiply_rows(q_tile + warp_row * stride, k_tile + lane * stride, E, stride, s);
    const int32_t key = step.begin + lane;
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) {
      if (work.cap != 0) s[i] = work.cap * tanhf(s[i] / work.cap);
      const KeyRange keys = warp_keys.keys[i];
      if (key < keys.begin || key >= keys.end) s[i] = -INFINITY;
      scores[warp_row + i][lane] = s[i];
    }
    __syncwarp();
    float shrink[kPlainHeld];
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) {
      float new_max = max[i];
      for (int k = 0; k < kPlainKeys; ++k) new_max = fmaxf(new_max, scores[warp_row + i][k]);
      const float base = new_max == -INFINITY ? 0.0F : new_max;
      shrink[i] = expf(max[i] - base);
      max[i] = new_max;
      s[i] = expf(s[i] - base);
      sum[i] *= shrink[i];
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < kPlainHeld; ++i) {
      scores[warp_row + i][lane] = s[i];
      for (int c = 0; c < kPlainCols; ++c) out[i][c] *= shrink[i];
    }
    __syncwarp();
    for (int k = 0; k < kPlainKeys; ++k) {
#pragma unroll
      for (int i = 0; i < kPlainHeld; ++i) sum[i] += scores[warp_row + i][k];
    }
    add_columns(&scores[warp_row], v_tile, E, stride, lane, out);
  }

#pragma unroll
  for (int i = 0; i < kPlainHeld; ++i) {
    const int32_t row = tile.row_begin + warp_row + i;
    if (row >= num_rows) continue;
    // A piece of the keys may hold none that this row sees.
    const float inverse = sum[i] == 0 ? 0.0F : 1 / sum[i];
    const float lse = sum[i] == 0 ? -INFINITY : max[i] + logf(sum[i]);
    const int64_t place =
        partial_row(work, tile.slot, head.kv_head, kPlainRows, row - tile.row_begin);
#pragma unroll
    for (int c = 0; c < kPlainCols; ++c) {
      const int col = c * 32 + lane;
      if (col >= E) continue;
      if (tile.slot < 0) {
        head.row_of<T>(out_NHE, row)[col] = plain_number<T>(out[i][c] * inverse);
      } else {
        work.partial_out[place * E + col] = out[i][c] * inverse;
      }
    }
    if (lane != 0) continue;
    if (tile.slot < 0) {
      head.number_of(lse_NH, row) = lse;
    } else {
      work.partial_lse[place] = lse;
    }
  }
}

}  // namespace

void attention_plain(
    const AttentionWork& work, Tensor q_NHE, Tensor out_NHE, Tensor lse_NH, Stream stream) {
  static_assert(kPlainRows == query_tile_rows(AttentionKernels::kPlain, 8));
  const auto kernel = q_NHE.dtype == DType::kFloat32 ? forward<float> : forward<bf16>;
  LAUNCH(kernel,
         dim3(work.num_query_tiles * work.num_kv_heads),
         dim3(kPlainThreads),
         plain_bytes(3, work.head_size),
         stream,
         work,
         q_NHE,
         out_NHE,
         lse_NH);
}

}  // namespace prescript::cuda
