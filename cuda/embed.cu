// embed.cu: rows taken from a matrix, sums of rows, and a row added to every row.
//   Maths      x[n] = scale · embedding[token[n]] or a soft prompt's row · y[i] (+)= x[indices[i]]
//              destination += Σ x[order[i]] · y[n] += row
//   Reference  ops/reference.cc
//   Shapes     rows of D columns, float32 or bfloat16, any strides; soft prompts and biases float32
//   Mapping    tiles of vector.cuh: 16 bytes of each of four rows a thread. Sums of rows: a thread
//              owns its columns of a destination, and adds in the order given
//   Traffic    each row that is named is read once, each output written once (read too, where it
//              is added to)
//   Roofline   at most one addition an element: bound by memory
//   Measured   N 8192, D 4096, bf16: embed 52 µs, 86 % of a copy's bandwidth, gather_rows 92,
//              add_rows 84, add_row 92 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source

#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

// Rows whose loads are under way together in a sum of rows.
constexpr int kSummedRows = 4;

/// Elements at an address that may be aligned as an element only.
template <int kWidth, typename T>
__device__ __forceinline__ Vector<T, kWidth> load_anywhere(const T* from) {
  if constexpr (kWidth > 1) {
    if (!is_aligned(from)) {
      Vector<T, kWidth> x;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) x.values[i] = from[i];
      return x;
    }
  }
  return load<kWidth>(from);
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kTileThreads) embed_kernel(
    Rows<const T> embedding_VD, float scale, const EmbeddedRow* rows, Rows<T> x_ND, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  const int64_t column = place.column * kWidth;
  const float factor = to_float(rounded<T>(scale));
  float values[kTileRows][kWidth] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    const EmbeddedRow source = rows[row];
    if (source.virtual_row != nullptr) {
      const auto x = load_anywhere<kWidth>(source.virtual_row + column);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[k][i] = x[i];
    } else {
      const auto x = load<kWidth>(embedding_VD[source.token_id] + column);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[k][i] = x[i] * factor;
    }
  }
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row < tiles.rows) store(values[k], x_ND[row] + column);
  }
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kTileThreads) gather_rows_kernel(
    Rows<const T> x_ND, const int32_t* indices, Rows<T> y, bool add, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  const int64_t column = place.column * kWidth;
  Vector<T, kWidth> picked[kTileRows] = {};
  Vector<T, kWidth> before[kTileRows] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    picked[k] = load<kWidth>(x_ND[indices[row]] + column);
    if (add) before[k] = load<kWidth>(y[row] + column);
  }
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    if (!add) {
      store(picked[k], y[row] + column);
      continue;
    }
    float sums[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sums[i] = before[k][i] + picked[k][i];
    store(sums, y[row] + column);
  }
}

/// A tile's rows are destinations here, one a thread.
template <typename X, typename Y, int kWidth>
__global__ void __launch_bounds__(kTileThreads, 5)
    add_rows_kernel(Rows<const X> x, const RowSum* sums, const int32_t* order, Tiles tiles) {
  const TilePlace place = tile_place(tiles, 1);
  if (place.column >= tiles.columns || place.row >= tiles.rows) return;
  const int64_t column = place.column * kWidth;
  const RowSum sum = sums[place.row];
  Y* const destination = static_cast<Y*>(sum.destination) + column;
  const auto before = load_anywhere<kWidth>(static_cast<const Y*>(destination));
  float values[kWidth];
#pragma unroll
  for (int i = 0; i < kWidth; ++i) values[i] = before[i];
  for (int32_t begin = 0; begin < sum.count; begin += kSummedRows) {
    Vector<X, kWidth> held[kSummedRows] = {};
#pragma unroll
    for (int k = 0; k < kSummedRows; ++k) {
      if (begin + k >= sum.count) continue;
      held[k] = load<kWidth>(x[order[sum.begin + begin + k]] + column);
    }
#pragma unroll
    for (int k = 0; k < kSummedRows; ++k) {
      if (begin + k >= sum.count) continue;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[i] += held[k][i];
    }
  }
  if constexpr (kWidth > 1) {
    if (!is_aligned(destination)) {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) destination[i] = rounded<Y>(values[i]);
      return;
    }
  }
  store(values, destination);
}

template <typename T, int kWidth>
__global__ void __launch_bounds__(kTileThreads)
    add_row_kernel(const float* row_D, Rows<T> y_ND, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
  const int64_t column = place.column * kWidth;
  const auto added = load<kWidth>(row_D + column);
  Vector<T, kWidth> held[kTileRows] = {};
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row < tiles.rows) held[k] = load<kWidth>(static_cast<const T*>(y_ND[row]) + column);
  }
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    float sums[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) sums[i] = held[k][i] + added[i];
    store(sums, y_ND[row] + column);
  }
}

}  // namespace

void embed(Tensor embedding_VD, float scale, const EmbeddedRow* rows, Tensor x_ND, Stream stream) {
  with_element_type(x_ND.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide(kWide<T>, {embedding_VD, x_ND}), [&](auto width) {
      const Tiles tiles = tiles_of(x_ND.rows, x_ND.cols / width);
      if (tiles.blocks == 0) return;
      LAUNCH((embed_kernel<T, decltype(width)::value>),
             tiles.blocks,
             kTileThreads,
             0,
             stream,
             rows_of<const T>(embedding_VD),
             scale,
             rows,
             rows_of<T>(x_ND),
             tiles);
    });
  });
}

void gather_rows(Tensor x_ND, const int32_t* indices, Tensor y, bool add, Stream stream) {
  with_element_type(y.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide(kWide<T>, {x_ND, y}), [&](auto width) {
      const Tiles tiles = tiles_of(y.rows, y.cols / width);
      if (tiles.blocks == 0) return;
      LAUNCH((gather_rows_kernel<T, decltype(width)::value>),
             tiles.blocks,
             kTileThreads,
             0,
             stream,
             rows_of<const T>(x_ND),
             indices,
             rows_of<T>(y),
             add,
             tiles);
    });
  });
}

void add_rows(
    Tensor x, const RowSum* sums, int64_t num_sums, const int32_t* order, DType to, Stream stream) {
  with_element_type(x.dtype, [&]<typename X>(X*) {
    with_element_type(to, [&]<typename Y>(Y*) {
      constexpr int kMost = kEvenWidth<X, Y>;
      with_width<kMost>(are_wide(kMost, {x}), [&](auto width) {
        const Tiles tiles = tiles_of(num_sums, x.cols / width, 1);
        if (tiles.blocks == 0) return;
        LAUNCH((add_rows_kernel<X, Y, decltype(width)::value>),
               tiles.blocks,
               kTileThreads,
               0,
               stream,
               rows_of<const X>(x),
               sums,
               order,
               tiles);
      });
    });
  });
}

void add_row(Tensor row_D, Tensor y_ND, Stream stream) {
  with_element_type(y_ND.dtype, [&]<typename T>(T*) {
    with_width<kWide<T>>(are_wide(kWide<T>, {row_D, y_ND}), [&](auto width) {
      const Tiles tiles = tiles_of(y_ND.rows, y_ND.cols / width);
      if (tiles.blocks == 0) return;
      LAUNCH((add_row_kernel<T, decltype(width)::value>),
             tiles.blocks,
             kTileThreads,
             0,
             stream,
             static_cast<const float*>(row_D.data),
             rows_of<T>(y_ND),
             tiles);
    });
  });
}

}  // namespace prescript::cuda
