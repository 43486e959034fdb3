// activation.cu: the feed-forward's activation and its input gradient.
//   Maths      h = f(gate)·up, or f(x)     dgate = dh·up·f'(gate), dup = dh·f(gate), or dx =
//   dh·f'(x)
//              f: silu x·σ(x); gelu x·Φ(x), and its approximation by tanh, which is x·σ(2u),
//              u = sqrt(2/π)·(x + 0.044715·x³)
//   Reference  ops/reference.cc
//   Shapes     x, dx of 2F columns (gate, then up) or F; h_NF, dh_NF; float32 or bfloat16, any
//              strides; dx may be x
//   Mapping    tiles of vector.cuh: 16 bytes of the gate and of up in each of two rows a thread
//   Traffic    each input read once, each output written once: gated in bfloat16 6 bytes an element
//              of h forward, 10 backward
//   Roofline   about 30 instructions an element of h: bound by memory
//   Measured   N 8192, F 14336 gated, bf16: 233 µs, 101 % of a copy's bandwidth; gradient 400 µs,
//   98 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (docs/gpu)
//   Source     Shazeer 2020; Hendrycks & Gimpel 2016

#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

// Of a thread: fewer than of a copy, as it holds up to three vectors of each.
constexpr int kRows = 2;

struct ValueAndSlope {
  float value;
  float slope;
};

__device__ __forceinline__ float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

struct Silu {
  static __device__ __forceinline__ ValueAndSlope at(float x) {
    const float s = sigmoid(x);
    return {x * s, s * (1 + x * (1 - s))};
  }
};

struct Gelu {
  static __device__ __forceinline__ ValueAndSlope at(float x) {
    constexpr float kInverseRootTwo = 0.707106781F;
    constexpr float kDensityAtZero = 0.398942280F;  // of the standard normal distribution
    const float below = 0.5F * (1 + erff(x * kInverseRootTwo));
    return {x * below, below + x * kDensityAtZero * expf(-0.5F * x * x)};
  }
};

struct GeluTanh {
  static __device__ __forceinline__ ValueAndSlope at(float x) {
    constexpr float kTwice = 1.59576912F;  // 2·sqrt(2/π)
    constexpr float kCube = 0.044715F;
    const float s = sigmoid(kTwice * x * (1 + kCube * x * x));
    return {x * s, s * (1 + x * (1 - s) * kTwice * (1 + 3 * kCube * x * x))};
  }
};

template <typename F, typename T, int kWidth, bool kIsGated>
__global__ void __launch_bounds__(kTileThreads)
    activate_kernel(Rows<const T> x, Rows<T> h_NF, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kRows);
  if (place.column >= tiles.columns) return;
  const int64_t column = place.column * kWidth;
  const int64_t num_columns = tiles.columns * kWidth;
  Vector<T, kWidth> gate[kRows] = {};
  Vector<T, kWidth> up[kRows] = {};
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    gate[k] = load<kWidth>(x[row] + column);
    if (kIsGated) up[k] = load<kWidth>(x[row] + num_columns + column);
  }
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    float h[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      h[i] = F::at(gate[k][i]).value;
      if (kIsGated) h[i] *= up[k][i];
    }
    store(h, h_NF[row] + column);
  }
}

template <typename F, typename T, int kWidth, bool kIsGated>
__global__ void __launch_bounds__(kTileThreads)
    activate_input_gradient_kernel(Rows<const T> x, Rows<const T> dh_NF, Rows<T> dx, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kRows);
  if (place.column >= tiles.columns) return;
  const int64_t column = place.column * kWidth;
  const int64_t num_columns = tiles.columns * kWidth;
  Vector<T, kWidth> gate[kRows] = {};
  Vector<T, kWidth> up[kRows] = {};
  Vector<T, kWidth> dh[kRows] = {};
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    gate[k] = load<kWidth>(x[row] + column);
    if (kIsGated) up[k] = load<kWidth>(x[row] + num_columns + column);
    dh[k] = load<kWidth>(dh_NF[row] + column);
  }
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    float dgate[kWidth];
    float dup[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      const ValueAndSlope f = F::at(gate[k][i]);
      dgate[i] = dh[k][i] * f.slope;
      if (kIsGated) dgate[i] *= up[k][i];
      dup[i] = dh[k][i] * f.value;
    }
    store(dgate, dx[row] + column);
    if (kIsGated) store(dup, dx[row] + num_columns + column);
  }
}

/// Calls `body` with the function and whether there is a gate, as types.
template <typename Body>
void with_function(ActivationFunction f, bool is_gated, const Body& body) {
  const auto with_gate = [&]<typename F>(F) {
    if (is_gated) return body(F{}, std::true_type{});
    body(F{}, std::false_type{});
  };
  switch (f) {
    case ActivationFunction::kSilu:
      return with_gate(Silu{});
    case ActivationFunction::kGelu:
      return with_gate(Gelu{});
    case ActivationFunction::kGeluTanh:
      return with_gate(GeluTanh{});
  }
}

/// Whether vectors cover `x` and, where there are two, each of its halves.
bool are_wide_halves(int width, Tensor h_NF, std::initializer_list<Tensor> others) {
  return are_wide(width, {h_NF}) && are_wide(width, others);
}

}  // namespace

void activate(ActivationFunction f, Tensor x, Tensor h_NF, Stream stream) {
  with_element_type(x.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide_halves(kWide<T>, h_NF, {x}), [&](auto width) {
      const Tiles tiles = tiles_of(h_NF.rows, h_NF.cols / width, kRows);
      if (tiles.blocks == 0) return;
      with_function(f, x.cols > h_NF.cols, [&]<typename F, typename IsGated>(F, IsGated) {
        LAUNCH((activate_kernel<F, T, decltype(width)::value, IsGated::value>),
               tiles.blocks,
               kTileThreads,
               0,
               stream,
               rows_of<const T>(x),
               rows_of<T>(h_NF),
               tiles);
      });
    });
  });
}

void activate_input_gradient(
    ActivationFunction f, Tensor x, Tensor dh_NF, Tensor dx, Stream stream) {
  with_element_type(x.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide_halves(kWide<T>, dh_NF, {x, dx}), [&](auto width) {
      const Tiles tiles = tiles_of(dh_NF.rows, dh_NF.cols / width, kRows);
      if (tiles.blocks == 0) return;
      with_function(f, x.cols > dh_NF.cols, [&]<typename F, typename IsGated>(F, IsGated) {
        LAUNCH((activate_input_gradient_kernel<F, T, decltype(width)::value, IsGated::value>),
               tiles.blocks,
               kTileThreads,
               0,
               stream,
               rows_of<const T>(x),
               rows_of<const T>(dh_NF),
               rows_of<T>(dx),
               tiles);
      });
    });
  });
}

}  // namespace prescript::cuda
