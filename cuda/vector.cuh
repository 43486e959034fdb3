#pragma once
// Elements of tensors in registers, 16 bytes at a time where tensors allow it, and how threads
// cover the rows of a matrix.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

#include "base/error.h"
#include "base/tensor.h"
#include "cuda/portable.cuh"

namespace prescript::cuda {

// --- elements ---

__device__ __forceinline__ float to_float(float x) {
  return x;
}

/// x as a T, rounded to nearest even.
template <typename T>
__device__ __forceinline__ T rounded(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return to_bf16(x);
  }
}

/// Neighbouring elements, which move in one instruction (or several of 16 bytes).
template <typename T, int kWidth>
struct alignas(sizeof(T) * kWidth < 16 ? sizeof(T) * kWidth : 16) Vector {
  T values[kWidth];

  __device__ __forceinline__ float operator[](int i) const { return to_float(values[i]); }
};

/// `from` is aligned as the vector is.
template <int kWidth, typename T>
__device__ __forceinline__ Vector<T, kWidth> load(const T* from) {
  return *reinterpret_cast<const Vector<T, kWidth>*>(from);
}

template <typename T, int kWidth>
__device__ __forceinline__ void store(const Vector<T, kWidth>& x, T* to) {
  constexpr size_t kBytes = sizeof x;
  if constexpr (kBytes < 8) {
    *reinterpret_cast<Vector<T, kWidth>*>(to) = x;
  } else {
    using Words = std::conditional_t<kBytes == 8, uint2, uint4>;
    Words words[kBytes / sizeof(Words)];
    std::memcpy(words, x.values, kBytes);
#pragma unroll
    for (size_t i = 0; i < kBytes / sizeof(Words); ++i) {
      store_words(words[i], to + i * (sizeof(Words) / sizeof(T)));
    }
  }
}

/// Rounds and stores.
template <typename T, int kWidth>
__device__ __forceinline__ void store(const float (&x)[kWidth], T* to) {
  Vector<T, kWidth> narrow;
  if constexpr (std::is_same_v<T, bf16> && kWidth % 2 == 0) {
    uint32_t pairs[kWidth / 2];
#pragma unroll
    for (int i = 0; i < kWidth / 2; ++i) pairs[i] = pack_bf16(x[2 * i], x[2 * i + 1]);
    std::memcpy(narrow.values, pairs, sizeof pairs);
  } else {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) narrow.values[i] = rounded<T>(x[i]);
  }
  store(narrow, to);
}

/// Whether a vector may lie at `p`.
__device__ __forceinline__ bool is_aligned(const void* p) {
  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
}

// --- rows ---

/// What a kernel needs to know of a tensor of T.
template <typename T>
struct Rows {
  T* data;
  int64_t stride;

  __device__ __forceinline__ T* operator[](int64_t row) const { return data + row * stride; }
};

template <typename T>
Rows<T> rows_of(const Tensor& x) {
  return {static_cast<T*>(x.data), x.stride};
}

// --- which kernel: element types and widths ---

/// Calls `body` with a null pointer of the element type of `dtype`.
template <typename Body>
void with_element_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kFloat32:
      return body(static_cast<float*>(nullptr));
    case DType::kBFloat16:
      return body(static_cast<bf16*>(nullptr));
    case DType::kFloat64:
      break;
  }
  throw ContractError("cuda kernels: fp64");
}

/// Calls `body` with a null pointer of the element type of a gradient: T or float32.
template <typename T, typename Body>
void with_gradient_type(DType dtype, const Body& body) {
  if (dtype == DType::kFloat32) return body(static_cast<float*>(nullptr));
  body(static_cast<T*>(nullptr));
}

/// Elements that a thread takes at a time of tensors whose narrowest element type is one of Ts.
template <typename... Ts>
inline constexpr int kWide = 16 / static_cast<int>(std::min({sizeof(Ts)...}));

/// The same of no more than 16 bytes of the widest type, so that the threads of a warp ask for
/// neighbouring bytes of every tensor.
template <typename... Ts>
inline constexpr int kEvenWidth = 16 / static_cast<int>(std::max({sizeof(Ts)...}));

/// Whether vectors of `width` elements cover the rows of each tensor; one without data has none.
inline bool are_wide(int width, std::initializer_list<Tensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [width](const Tensor& x) {
    const auto row_bytes = x.stride * static_cast<int64_t>(size_of(x.dtype));
    return reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.cols % width == 0 &&
           (x.rows <= 1 || row_bytes % 16 == 0);
  });
}

/// Calls `body` with a constant: `kWidth` elements at a time, or 1.
template <int kWidth, typename Body>
void with_width(bool is_wide, const Body& body) {
  if (is_wide) return body(std::integral_constant<int, kWidth>{});
  body(std::integral_constant<int, 1>{});
}

// --- tiles: for operations in which a column is independent of the others ---

inline constexpr int kTileThreads = 256;

/// Rows that a thread takes, at a time: four loads of 16 bytes are under way before the first is
/// used, which hides the memory's latency at half of the threads that an SM holds.
inline constexpr int kTileRows = 4;

/// A block covers `1 << lane_bits` vectors of a row, and of as many rows as its threads suffice
/// for, kTileRows times.
struct Tiles {
  int64_t rows;
  int64_t columns;  // vectors of a row
  int lane_bits;
  uint32_t chunks;  // blocks beside each other
  uint32_t blocks;  // none where there is nothing to do
};

inline Tiles tiles_of(int64_t rows, int64_t columns, int rows_per_thread = kTileRows) {
  Tiles tiles{rows, columns, 3, 0, 0};
  if (rows <= 0 || columns <= 0) return tiles;
  while ((1 << tiles.lane_bits) < std::min<int64_t>(columns, kTileThreads)) ++tiles.lane_bits;
  const int64_t lanes = int64_t{1} << tiles.lane_bits;
  const int64_t tile_rows = kTileThreads / lanes * rows_per_thread;
  tiles.chunks = static_cast<uint32_t>((columns + lanes - 1) / lanes);
  tiles.blocks = static_cast<uint32_t>((rows + tile_rows - 1) / tile_rows) * tiles.chunks;
  return tiles;
}

/// A thread's vector, and its rows: row, row + step, ... as many as it takes.
struct TilePlace {
  int64_t column;
  int64_t row;
  int64_t step;
};

__device__ __forceinline__ TilePlace tile_place(const Tiles& tiles, int rows_per_thread) {
  const uint32_t tile = blockIdx.x / tiles.chunks;
  const uint32_t chunk = blockIdx.x - tile * tiles.chunks;
  const int lane = static_cast<int>(threadIdx.x) & ((1 << tiles.lane_bits) - 1);
  const int64_t step = kTileThreads >> tiles.lane_bits;
  return {(static_cast<int64_t>(chunk) << tiles.lane_bits) + lane,
          tile * step * rows_per_thread + (threadIdx.x >> tiles.lane_bits),
          step};
}

}  // namespace prescript::cuda
