// layer_norm.cu: LayerNorm and its input gradient. Weights and biases are frozen: they get none.
//   Maths      y = z·w + b, z = (x − mean)·r, r = 1/sqrt(variance + epsilon)
//              dx += r·(g − mean(g) − z·mean(g·z)), g = w·dy
//   Reference  ops/reference.cc
//   Shapes     x_ND, y_ND, dx_ND float32 or bfloat16, dy_ND too or float32, any strides; weight_D,
//              bias_D and statistics_2N (means, then r) float32
//   Mapping    as RMSNorm: 8 to 512 threads a row by its size, several rows a block in turn; the
//              row stays in registers, so that the variance is that of differences from the mean
//   Traffic    forward 4 bytes an element in bfloat16, backward 8
//   Roofline   about 12 operations an element: bound by memory
//   Measured   N 8192, D 4096, bf16: 56 µs, 80 % of a copy's bandwidth; gradient 102 µs, 87 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     Ba et al. 2016

#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/reduce.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

// Threads of the longest rows: as many registers as the vectors held need are left to each.
constexpr int kMaxThreads = 512;

template <typename T, int kWidth>
__device__ __forceinline__ float sum_of(const Vector<T, kWidth>& x) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum += x[i];
  return sum;
}

template <typename T, int kWidth>
__device__ __forceinline__ float squares_about(float mean, const Vector<T, kWidth>& x) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum += (x[i] - mean) * (x[i] - mean);
  return sum;
}

template <typename T, int kWidth>
__device__ __forceinline__ void write_normed(const Vector<T, kWidth>& x,
                                             float mean,
                                             float rstd,
                                             const float* weight,
                                             const float* bias,
                                             T* y) {
  const auto w = load<kWidth>(weight);
  const auto b = load<kWidth>(bias);
  float values[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] = (x[i] - mean) * rstd * w[i] + b[i];
  store(values, y);
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kMaxThreads, 2) layer_norm_kernel(Rows<const T> x_ND,
                                                                    const float* weight_D,
                                                                    const float* bias_D,
                                                                    float epsilon,
                                                                    Rows<T> y_ND,
                                                                    Rows<float> statistics_2N,
                                                                    Groups groups) {
  const GroupPlace place = group_place(groups);
  const int64_t step = gridDim.x * place.per_block;
  // All threads of the block take every turn: they meet in the sums.
  for (int64_t first = blockIdx.x * place.per_block; first < groups.count; first += step) {
    const int64_t row = first + place.slot;
    const int vectors = row < groups.count ? groups.vectors : 0;
    const T* const x = x_ND[row];
    Vector<T, kWidth> held[kHeldVectors] = {};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i < vectors) held[k] = load<kWidth>(x + i * kWidth);
    }
    const int rest = place.lane + kHeldVectors * groups.threads;  // what registers do not hold
    float sum = 0;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) sum += sum_of(held[k]);
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads)
      sum += sum_of(load<kWidth>(x + i * kWidth));
    const float mean = sum_over_group(sum, groups) * groups.inverse;
    float squares = 0;
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      if (place.lane + k * groups.threads < vectors) squares += squares_about(mean, held[k]);
    }
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      squares += squares_about(mean, load<kWidth>(x + i * kWidth));
    }
    const float rstd = rsqrtf(sum_over_group(squares, groups) * groups.inverse + epsilon);
    T* const y = y_ND[row];
    if (vectors > 0 && place.lane == 0) {
      statistics_2N[0][row] = mean;
      statistics_2N[1][row] = rstd;
    }
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = (place.lane + k * groups.threads) * kWidth;
      if (i < vectors * kWidth) {
        write_normed(held[k], mean, rstd, weight_D + i, bias_D + i, y + i);
      }
    }
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      write_normed(load<kWidth>(x + i * kWidth),
                   mean,
                   rstd,
                   weight_D + i * kWidth,
                   bias_D + i * kWidth,
                   y + i * kWidth);
    }
  }
}

/// Σ g and Σ g·z.
struct GradientSums {
  float g;
  float gz;
};

template <typename T, typename DY, int kWidth>
__device__ __forceinline__ void add_to(GradientSums& sums,
                                       const Vector<T, kWidth>& x,
                                       float mean,
                                       float rstd,
                                       const Vector<float, kWidth>& weight,
                                       const Vector<DY, kWidth>& dy) {
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float g = weight[i] * dy[i];
    sums.g += g;
    sums.gz += g * ((x[i] - mean) * rstd);
  }
}

template <typename T, typename DY, int kWidth>
__device__ __forceinline__ void write_gradient(const Vector<T, kWidth>& x,
                                               float mean,
                                               float rstd,
                                               GradientSums means,
                                               const Vector<float, kWidth>& weight,
                                               const Vector<DY, kWidth>& dy,
                                               const Vector<T, kWidth>& before,
                                               T* dx) {
  float values[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    const float z = (x[i] - mean) * rstd;
    values[i] = before[i] + rstd * (weight[i] * dy[i] - means.g - z * means.gz);
  }
  store(values, dx);
}

template <typename T, typename DY, int kWidth>
__global__ void __launch_bounds__(kMaxThreads, 2)
    layer_norm_input_gradient_kernel(Rows<const T> x_ND,
                                     const float* weight_D,
                                     Rows<const float> statistics_2N,
                                     Rows<const DY> dy_ND,
                                     Rows<T> dx_ND,
                                     Groups groups) {
  const GroupPlace place = group_place(groups);
  const int64_t step = gridDim.x * place.per_block;
  for (int64_t first = blockIdx.x * place.per_block; first < groups.count; first += step) {
    const int64_t row = first + place.slot;
    const int vectors = row < groups.count ? groups.vectors : 0;
    const T* const x = x_ND[row];
    const DY* const dy = dy_ND[row];
    T* const dx = dx_ND[row];
    Vector<T, kWidth> held_x[kHeldVectors] = {};
    Vector<DY, kWidth> held_dy[kHeldVectors] = {};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      held_x[k] = load<kWidth>(x + i * kWidth);
      held_dy[k] = load<kWidth>(dy + i * kWidth);
    }
    const float mean = vectors > 0 ? statistics_2N[0][row] : 0;
    const float rstd = vectors > 0 ? statistics_2N[1][row] : 0;
    GradientSums sums{};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      add_to(sums, held_x[k], mean, rstd, load<kWidth>(weight_D + i * kWidth), held_dy[k]);
    }
    const int rest = place.lane + kHeldVectors * groups.threads;  // what registers do not hold
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      add_to(sums,
             load<kWidth>(x + i * kWidth),
             mean,
             rstd,
             load<kWidth>(weight_D + i * kWidth),
             load<kWidth>(dy + i * kWidth));
    }
    const GradientSums means{sum_over_group(sums.g, groups) * groups.inverse,
                             sum_over_group(sums.gz, groups) * groups.inverse};
#pragma unroll
    for (int k = 0; k < kHeldVectors; ++k) {
      const int i = place.lane + k * groups.threads;
      if (i >= vectors) continue;
      write_gradient(held_x[k],
                     mean,
                     rstd,
                     means,
                     load<kWidth>(weight_D + i * kWidth),
                     held_dy[k],
                     load<kWidth>(static_cast<const T*>(dx) + i * kWidth),
                     dx + i * kWidth);
    }
#pragma unroll 1
    for (int i = rest; i < vectors; i += groups.threads) {
      write_gradient(load<kWidth>(x + i * kWidth),
                     mean,
                     rstd,
                     means,
                     load<kWidth>(weight_D + i * kWidth),
                     load<kWidth>(dy + i * kWidth),
                     load<kWidth>(static_cast<const T*>(dx) + i * kWidth),
                     dx + i * kWidth);
    }
  }
}

}  // namespace

void layer_norm(Tensor x_ND,
                Tensor weight_D,
                Tensor bias_D,
                float epsilon,
                Tensor y_ND,
                Tensor statistics_2N,
                Stream stream) {
  with_element_type(x_ND.dtype, [&]<typename T>(T*) {
    const bool is_wide = are_wide(kWide<T>, {x_ND, weight_D, bias_D, y_ND});
    with_width<kWide<T>>(is_wide, [&](auto width) {
      const Groups groups = groups_of(x_ND.rows, x_ND.cols, x_ND.cols, width, kMaxThreads);
      if (groups.blocks == 0) return;
      LAUNCH((layer_norm_kernel<T, decltype(width)::value>),
             groups.blocks,
             groups.block_threads,
             0,
             stream,
             rows_of<const T>(x_ND),
             static_cast<const float*>(weight_D.data),
             static_cast<const float*>(bias_D.data),
             epsilon,
             rows_of<T>(y_ND),
             rows_of<float>(statistics_2N),
             groups);
    });
  });
}

void layer_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND, Stream stream) {
  with_element_type(x_ND.dtype, [&]<typename T>(T*) {
    with_gradient_type<T>(dy_ND.dtype, [&]<typename DY>(DY*) {
      constexpr int kMost = kEvenWidth<T, DY>;
      const bool is_wide = are_wide(kMost, {x_ND, weight_D, dy_ND, dx_ND});
      with_width<kMost>(is_wide, [&](auto width) {
        const Groups groups = groups_of(x_ND.rows, x_ND.cols, x_ND.cols, width, kMaxThreads);
        if (groups.blocks == 0) return;
        LAUNCH((layer_norm_input_gradient_kernel<T, DY, decltype(width)::value>),
               groups.blocks,
               groups.block_threads,
               0,
               stream,
               rows_of<const T>(x_ND),
               static_cast<const float*>(weight_D.data),
               rows_of<const float>(statistics_2N),
               rows_of<const DY>(dy_ND),
               rows_of<T>(dx_ND),
               groups);
      });
    });
  });
}

}  // namespace prescript::cuda
