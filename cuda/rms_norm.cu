// rms_norm.cu: RMSNorm and its input gradient. Weights are frozen: they get none.
//   Maths      y = x·r·w, r = 1/sqrt(mean(x²) + epsilon)      dx += r·(w·dy) − x·r³/D · Σ(w·dy·x)
//   Reference  ops/reference.cc
//   Shapes     x_ND, y_ND, dx_ND float32 or bfloat16, dy_ND too or float32, any strides; weight_D
//              and rstd float32. A row may be several groups of D columns, as of heads
//   Mapping    8 to 512 threads a group by its size, several groups a block in turn; the group
//              stays in registers, the weight too; sums are trees of fixed shape
//   Traffic    forward 4 bytes an element in bfloat16 (6 with add), backward 8
//   Roofline   about 8 operations an element: bound by memory
//   Measured   N 8192, D 4096, bf16: 51 µs, 88 % of a copy's bandwidth; gradient 101 µs, 89 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     Zhang & Sennrich 2019

#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

// Threads of the largest groups: as many registers as the vectors held need are left to each.
constexpr int kMaxThreads = 512;

/// Where a group lies: its row, and its first column.
struct GroupStart {
  int64_t row;
  int64_t column;
};

__device__ __forceinline__ GroupStart start_of(int64_t group, const Groups& groups) {
  // 32 bits: a division of 64 would take longer than the group's sums.
  const uint32_t row = static_cast<uint32_t>(group) / groups.per_row;
  return {row, (group - static_cast<int64_t>(row) * groups.per_row) * groups.columns};
}

template <typename T, int kWidth>
__device__ __forceinline__ float squares_of(const Vector<T, kWidth>& x) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum += x[i] * x[i];
  return sum;
}

template <typename T, int kWidth>
__device__ __forceinline__ void write_normed(
    const Vector<T, kWidth>& x, float rstd, const Vector<float, kWidth>& weight, bool add, T* y) {
  float values[kWidth] = {};
  if (add) {
    const auto before = load<kWidth>(static_cast<const T*>(y));
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = before[i];
  }
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] += x[i] * rstd * weight[i];
  store(values, y);
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kMaxThreads) rms_norm_kernel(Rows<const T> x_ND,
                                                               const float* weight_D,
                                                               float epsilon,
                                                               Rows<T> y_ND,
                                                               float* rstd_N,
                                                               bool add,
                                                               Groups groups) {
  const GroupPlace place = group_place(groups);
  Vector<float, kWidth> weight[kHeldVectors] = {};
#pragma unroll
  for (int k = 0; k < kHeldVectors; ++k) {
    const int i = place.lane + k * groups.threads;
    if (i < groups.vectors) weight[k] = load<kWidth>(weight_D + i * kWidth);
  }
  const int64_t step = gridDim.x * place.per_block;
  // All threads of the block take every turn: they meet in the sum.
  for (int64_t first = blockIdx.x * place.per_block; first < groups.count; first += step) {
    const int64_t group = first + place.slot;
    const int vectors = group < groups.count ? groups.vectors : 0;
    const GroupStart start = start_of(group, groups);
    const T* const x = x_ND[start.row] + start.column;
    T* const y = y_ND[start.row] + start.column;
    Vector<T, kWidth> held[kHeldVectors] = {};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i < vectors) held[k] = load<kWidth>(x + i * kWidth);
    }
    float squares = 0;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) squares += squares_of(held[k]);
    const int rest = place.lane + kHeldVectors * groups.threads;  // what registers do not hold
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      squares += squares_of(load<kWidth>(x + i * kWidth));
    }
    squares = sum_over_group(squares, groups);
    const float rstd = rsqrtf(squares * groups.inverse + epsilon);
    if (vectors > 0 && place.lane == 0) rstd_N[group] = rstd;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i < vectors) write_normed(held[k], rstd, weight[k], add, y + i * kWidth);
    }
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      write_normed(load<kWidth>(x + i * kWidth),
                   rstd,
                   load<kWidth>(weight_D + i * kWidth),
                   add,
                   y + i * kWidth);
    }
  }
}

template <typename T, typename DY, int kWidth>
__device__ __forceinline__ float projection_of(const Vector<T, kWidth>& x,
                                               const Vector<float, kWidth>& weight,
                                               const Vector<DY, kWidth>& dy) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum += weight[i] * dy[i] * x[i];
  return sum;
}

template <typename T, typename DY, int kWidth>
__device__ __forceinline__ void write_gradient(const Vector<T, kWidth>& x,
                                               float rstd,
                                               float factor,
                                               const Vector<float, kWidth>& weight,
                                               const Vector<DY, kWidth>& dy,
                                               const Vector<T, kWidth>& before,
                                               T* dx) {
  float values[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    values[i] = before[i] + rstd * weight[i] * dy[i] - x[i] * factor;
  }
  store(values, dx);
}

template <typename T, typename DY, int kWidth>
__global__ void __launch_bounds__(kMaxThreads, 2)
    rms_norm_input_gradient_kernel(Rows<const T> x_ND,
                                   const float* weight_D,
                                   const float* rstd_N,
                                   Rows<const DY> dy_ND,
                                   Rows<T> dx_ND,
                                   Groups groups) {
  const GroupPlace place = group_place(groups);
  const int64_t step = gridDim.x * place.per_block;
  for (int64_t first = blockIdx.x * place.per_block; first < groups.count; first += step) {
    const int64_t group = first + place.slot;
    const int vectors = group < groups.count ? groups.vectors : 0;
    const GroupStart start = start_of(group, groups);
    const T* const x = x_ND[start.row] + start.column;
    const DY* const dy = dy_ND[start.row] + start.column;
    T* const dx = dx_ND[start.row] + start.column;
    Vector<T, kWidth> held_x[kHeldVectors] = {};
    Vector<DY, kWidth> held_dy[kHeldVectors] = {};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      held_x[k] = load<kWidth>(x + i * kWidth);
      held_dy[k] = load<kWidth>(dy + i * kWidth);
    }
    const float rstd = vectors > 0 ? rstd_N[group] : 0;
    float projection = 0;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      projection += projection_of(held_x[k], load<kWidth>(weight_D + i * kWidth), held_dy[k]);
    }
    const int rest = place.lane + kHeldVectors * groups.threads;  // what registers do not hold
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      projection += projection_of(load<kWidth>(x + i * kWidth),
                                  load<kWidth>(weight_D + i * kWidth),
                                  load<kWidth>(dy + i * kWidth));
    }
    projection = sum_over_group(projection, groups);
    const float factor = rstd * rstd * rstd * groups.inverse * projection;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      write_gradient(held_x[k],
                     rstd,
                     factor,
                     load<kWidth>(weight_D + i * kWidth),
                     held_dy[k],
                     load<kWidth>(static_cast<const T*>(dx) + i * kWidth),
                     dx + i * kWidth);
    }
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      write_gradient(load<kWidth>(x + i * kWidth),
                     rstd,
                     factor,
                     load<kWidth>(weight_D + i * kWidth),
                     load<kWidth>(dy + i * kWidth),
                     load<kWidth>(static_cast<const T*>(dx) + i * kWidth),
                     dx + i * kWidth);
    }
  }
}

/// Whether vectors of `width` elements cover the groups.
bool are_wide_groups(int width, Tensor weight_D, std::initializer_list<Tensor> tensors) {
  return are_wide(width, {weight_D}) && are_wide(width, tensors);
}

}  // namespace

void rms_norm(Tensor x_ND,
              Tensor weight_D,
              float epsilon,
              Tensor y_ND,
              Tensor rstd_N,
              bool add,
              Stream stream) {
  with_element_type(x_ND.dtype, [&]<typename T>(T*) {
    const bool is_wide = are_wide_groups(kWide<T>, weight_D, {x_ND, y_ND});
    with_width<kWide<T>>(is_wide, [&](auto width) {
      const Groups groups = groups_of(x_ND.rows, x_ND.cols, weight_D.cols, width, kMaxThreads);
      if (groups.blocks == 0) return;
      LAUNCH((rms_norm_kernel<T, decltype(width)::value>),
             groups.blocks,
             groups.block_threads,
             0,
             stream,
             rows_of<const T>(x_ND),
             static_cast<const float*>(weight_D.data),
             epsilon,
             rows_of<T>(y_ND),
             static_cast<float*>(rstd_N.data),
             add,
             groups);
    });
  });
}

void rms_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND, Stream stream) {
  with_element_type(x_ND.dtype, [&]<typename T>(T*) {
    with_gradient_type<T>(dy_ND.dtype, [&]<typename DY>(DY*) {
      constexpr int kMost = kEvenWidth<T, DY>;
      const bool is_wide = are_wide_groups(kMost, weight_D, {x_ND, dy_ND, dx_ND});
      with_width<kMost>(is_wide, [&](auto width) {
        const Groups groups = groups_of(x_ND.rows, x_ND.cols, weight_D.cols, width, kMaxThreads);
        if (groups.blocks == 0) return;
        LAUNCH((rms_norm_input_gradient_kernel<T, DY, decltype(width)::value>),
               groups.blocks,
               groups.block_threads,
               0,
               stream,
               rows_of<const T>(x_ND),
               static_cast<const float*>(weight_D.data),
               static_cast<const float*>(rstd_N.data),
               rows_of<const DY>(dy_ND),
               rows_of<T>(dx_ND),
               groups);
      });
    });
  });
}

}  // namespace prescript::cuda
