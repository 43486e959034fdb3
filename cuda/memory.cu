// memory.cu: zeros, copies between dtypes, and random numbers.
//   Maths      y = 0 · y = x, rounded to nearest even · x = deviation · N(0, 1)
//   Reference  ops/reference.cc
//   Shapes     rows x columns, float32 or bfloat16, any strides
//   Mapping    tiles of vector.cuh: 16 bytes of each of four rows a thread
//   Traffic    each input read once, each output written once
//   Roofline   no arithmetic to speak of: bound by memory
//   Measured   N 8192, D 4096, bf16: zero 23 µs, 96 % of a copy by the driver, copy 48 µs, 93 %, to
//              float32 72 µs, 93 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     normal numbers: Box & Muller 1958, of bits by SplitMix64 (Steele et al. 2014)

#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

template <typename T, int kWidth>
__global__ void __launch_bounds__(kTileThreads) zero_kernel(Rows<T> x, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  constexpr float kZeros[kWidth] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row < tiles.rows) store(kZeros, x[row] + place.column * kWidth);
  }
}

template <typename X, typename Y, int kWidth>
__global__ void __launch_bounds__(kTileThreads)
    copy_kernel(Rows<const X> x, Rows<Y> y, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  Vector<X, kWidth> held[kTileRows] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row < tiles.rows) held[k] = load<kWidth>(x[row] + place.column * kWidth);
  }
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    float values[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] = held[k][i];
    store(values, y[row] + place.column * kWidth);
  }
}

__device__ __forceinline__ uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

/// cos(2π · turn) for turns in [-1/2, 1/2): 1 − 2·sin²(π · turn), the sine by its series. cosf
/// would take local memory for angles that do not occur.
__device__ __forceinline__ float cosine_of_turn(float turn) {
  const float x = 3.14159265F * turn;
  const float z = x * x;
  const float sine = x * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110)))));
  return 1 - 2 * sine * sine;
}

__device__ __forceinline__ float normal_at(uint64_t seed, uint64_t index) {
  constexpr float kUnit = 1.0F / 16777216.0F;  // 24 bits of the hash, and as many others
  const uint64_t bits = mixed(mixed(seed) + (index + 1) * 0x9E3779B97F4A7C15U);
  // In (0, 1]: its logarithm is finite.
  const float uniform = (static_cast<float>(bits >> 40) + 1) * kUnit;
  const float turn = static_cast<float>(bits & 0xFFFFFFU) * kUnit - 0.5F;
  return sqrtf(-2 * logf(uniform)) * cosine_of_turn(turn);
}

template <typename T>
__global__ void __launch_bounds__(kTileThreads)
    fill_normal_kernel(Rows<T> x, uint64_t seed, float deviation, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) return;
    const auto index = static_cast<uint64_t>(row * tiles.columns + place.column);
    x[row][place.column] = rounded<T>(deviation * normal_at(seed, index));
  }
}

/// Of bits, so that what is not a number equals itself.
template <typename T>
__global__ void __launch_bounds__(kTileThreads)
    find_difference_kernel(Rows<const T> x, Rows<const T> y, int32_t* differs, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) return;
    // Whoever finds one writes the same.
    if (x[row][place.column] != y[row][place.column]) *differs = 1;
  }
}

}  // namespace

void zero(Tensor x, Stream stream) {
  with_element_type(x.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide(kWide<T>, {x}), [&](auto width) {
      const Tiles tiles = tiles_of(x.rows, x.cols / width);
      if (tiles.blocks == 0) return;
      LAUNCH((zero_kernel<T, decltype(width)::value>),
             tiles.blocks,
             kTileThreads,
             0,
             stream,
             rows_of<T>(x),
             tiles);
    });
  });
}

void copy(Tensor x, Tensor y, Stream stream) {
  with_element_type(x.dtype, [&]<typename X>(X*) {
    with_element_type(y.dtype, [&]<typename Y>(Y*) {
      constexpr int kMost = kEvenWidth<X, Y>;
      with_width<kMost>(are_wide(kMost, {x, y}), [&](auto width) {
        const Tiles tiles = tiles_of(x.rows, x.cols / width);
        if (tiles.blocks == 0) return;
        LAUNCH((copy_kernel<X, Y, decltype(width)::value>),
               tiles.blocks,
               kTileThreads,
               0,
               stream,
               rows_of<const X>(x),
               rows_of<Y>(y),
               tiles);
      });
    });
  });
}

void fill_normal(Tensor x, uint64_t seed, float deviation, Stream stream) {
  const Tiles tiles = tiles_of(x.rows, x.cols);
  if (tiles.blocks == 0) return;
  with_element_type(x.dtype, [&]<typename T>(T*) {
    LAUNCH((fill_normal_kernel<T>),
           tiles.blocks,
           kTileThreads,
           0,
           stream,
           rows_of<T>(x),
           seed,
           deviation,
           tiles);
  });
}

void find_difference(Tensor x, Tensor y, int32_t* differs, Stream stream) {
  const auto compare = [&]<typename Bits>(Bits*) {
    const Tiles tiles = tiles_of(x.rows, x.cols);
    if (tiles.blocks == 0) return;
    LAUNCH((find_difference_kernel<Bits>),
           tiles.blocks,
           kTileThreads,
           0,
           stream,
           rows_of<const Bits>(x),
           rows_of<const Bits>(y),
           differs,
           tiles);
  };
  if (x.dtype == DType::kBFloat16) {
    compare(static_cast<uint16_t*>(nullptr));
  } else {
    compare(static_cast<uint32_t*>(nullptr));
  }
}

}  // namespace prescript::cuda
