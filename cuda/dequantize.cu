// dequantize.cu: the numbers of a matrix stored in blocks of a GGUF type.
//   Maths      number = scale·q, or scale·q − minimum: see dequantize_blocks.cuh
//   Reference  io/gguf_quantization.cc, bit for bit; bfloat16 is its rounding to nearest even
//   Shapes     rows of whole blocks, one behind the other, the first at a multiple of 16; y float32
//              or bfloat16, any stride
//   Mapping    tiles of vector.cuh: a thread makes eight neighbouring numbers, which share a scale,
//              of each of two rows
//   Traffic    blocks read once, y written once: 2.6 bytes a number from Q4_K to bfloat16
//   Roofline   a few operations a number: bound by memory
//   Measured   F 14336, D 8192 to bf16: Q4_1 109 µs, 94 % of a copy's bandwidth, Q8_0 95, Q6_K 87,
//              Q4_K 93 %
//              H100 80GB HBM3, CUDA 13.0, 2026-11-27 (prescript_cuda_benchmark)
//   Source     llama.cpp: ggml-quants.c, gguf-py

#include <algorithm>
#include <string>

#include "base/error.h"
#include "cuda/dequantize_blocks.cuh"
#include "cuda/kernels.h"
#include "cuda/portable.cuh"
#include "cuda/vector.cuh"

namespace prescript::cuda {
namespace {

// Of a thread.
constexpr int kRows = 2;

/// Part of the on-disk format, as io/gguf_quantization.h's GgmlType.
enum class BlockType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

template <typename Block, typename T>
__global__ void __launch_bounds__(kTileThreads) dequantize_kernel(
    const uint8_t* blocks, int64_t row_bytes, Rows<T> y, bool is_wide, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kRows);
  if (place.column >= tiles.columns) return;
  constexpr int kOctets = Block::kValues / kOctet;
  const auto octet = static_cast<uint32_t>(place.column);
  const uint8_t* const column = blocks + static_cast<int64_t>(octet / kOctets) * Block::kBytes;
  float values[kRows][kOctet] = {};
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    Block::decode(column + row * row_bytes, static_cast<int>(octet % kOctets) * kOctet, values[k]);
  }
#pragma unroll
  for (int k = 0; k < kRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    T* const to = y[row] + place.column * kOctet;
    if (is_wide) {
      store(values[k], to);
      continue;
    }
#pragma unroll
    for (int i = 0; i < kOctet; ++i) to[i] = rounded<T>(values[k][i]);
  }
}

template <typename T>
__global__ void __launch_bounds__(kTileThreads)
    widen_halves_kernel(Rows<const uint8_t> halves, Rows<T> y, Tiles tiles) {
  const TilePlace place = tile_place(tiles, kTileRows);
  if (place.column >= tiles.columns) return;
#pragma unroll
  for (int k = 0; k < kTileRows; ++k) {
    const int64_t row = place.row + k * place.step;
    if (row >= tiles.rows) continue;
    y[row][place.column] = rounded<T>(load_half(halves[row] + 2 * place.column));
  }
}

template <typename Block>
void dequantize_blocks(const void* blocks, Tensor y, Stream stream) {
  constexpr int kAlignment = std::min(Block::kBytes & -Block::kBytes, 16);
  const bool is_aligned = reinterpret_cast<uintptr_t>(blocks) % kAlignment == 0;
  PRESCRIPT_CHECK(y.cols % Block::kValues == 0 && is_aligned, "dequantize: " + y.describe());
  const Tiles tiles = tiles_of(y.rows, y.cols / kOctet, kRows);
  if (tiles.blocks == 0) return;
  with_element_type(y.dtype, [&]<typename T>(T*) {
    LAUNCH((dequantize_kernel<Block, T>),
           tiles.blocks,
           kTileThreads,
           0,
           stream,
           static_cast<const uint8_t*>(blocks),
           y.cols / Block::kValues * Block::kBytes,
           rows_of<T>(y),
           are_wide(kOctet, {y}),
           tiles);
  });
}

void widen_halves(const void* halves, Tensor y, Stream stream) {
  const Tiles tiles = tiles_of(y.rows, y.cols);
  if (tiles.blocks == 0) return;
  with_element_type(y.dtype, [&]<typename T>(T*) {
    LAUNCH((widen_halves_kernel<T>),
           tiles.blocks,
           kTileThreads,
           0,
           stream,
           (Rows<const uint8_t>{static_cast<const uint8_t*>(halves), 2 * y.cols}),
           rows_of<T>(y),
           tiles);
  });
}

/// The numbers lie as they are computed with.
void copy_numbers(const void* numbers, DType dtype, Tensor y, Stream stream) {
  copy({const_cast<void*>(numbers), dtype, y.rows, y.cols, y.cols}, y, stream);
}

}  // namespace

void dequantize(uint32_t type, const void* blocks, Tensor y, Stream stream) {
  switch (static_cast<BlockType>(type)) {
    case BlockType::kF32:
      return copy_numbers(blocks, DType::kFloat32, y, stream);
    case BlockType::kBF16:
      return copy_numbers(blocks, DType::kBFloat16, y, stream);
    case BlockType::kF16:
      return widen_halves(blocks, y, stream);
    case BlockType::kQ4_0:
      return dequantize_blocks<Q4_0>(blocks, y, stream);
    case BlockType::kQ4_1:
      return dequantize_blocks<Q4_1>(blocks, y, stream);
    case BlockType::kQ5_0:
      return dequantize_blocks<Q5_0>(blocks, y, stream);
    case BlockType::kQ5_1:
      return dequantize_blocks<Q5_1>(blocks, y, stream);
    case BlockType::kQ8_0:
      return dequantize_blocks<Q8_0>(blocks, y, stream);
    case BlockType::kQ2_K:
      return dequantize_blocks<Q2_K>(blocks, y, stream);
    case BlockType::kQ3_K:
      return dequantize_blocks<Q3_K>(blocks, y, stream);
    case BlockType::kQ4_K:
      return dequantize_blocks<Q4_K>(blocks, y, stream);
    case BlockType::kQ5_K:
      return dequantize_blocks<Q5_K>(blocks, y, stream);
    case BlockType::kQ6_K:
      return dequantize_blocks<Q6_K>(blocks, y, stream);
  }
  throw ContractError("dequantize: type " + std::to_string(type));
}

}  // namespace prescript::cuda
