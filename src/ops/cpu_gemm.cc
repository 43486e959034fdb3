// A tile of sums stays in registers while both operands stream past it. The operands are packed
// into the order in which the tile reads them, in units of 32 bits: a float32, or two bfloat16
// neighbours where one instruction multiplies and adds both. Packing costs a few operations per
// element of the weight, a product one per element and row. Source: Goto & van de Geijn, "Anatomy
// of High-Performance Matrix Multiplication", 2008.

#include "ops/cpu_gemm.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <ATen/Parallel.h>
#include <immintrin.h>

#include "base/error.h"
#include "ops/aligned.h"

namespace prescript::cpu {
namespace {

// Packed columns of the weight, kTerms units of each, that a thread holds in its second-level
// cache.
constexpr int64_t kHeldBytes = 128 << 10;

// Rows whose sums a thread holds there while it goes through the blocks of kTerms.
constexpr int64_t kHeldRows = 96;

// How a row of a matrix is read as units.

struct Float32 {
  using Element = uint32_t;
  static constexpr int64_t kElements = 1;  // of a unit

  static uint32_t unit(const Element* row, int64_t /*left*/) { return *row; }
  static __m128 four(const Element* row) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(row));
  }
  static uint32_t join(Element first, Element /*second*/) { return first; }
};

struct WidenedBFloat16 {
  using Element = uint16_t;
  static constexpr int64_t kElements = 1;

  static uint32_t unit(const Element* row, int64_t /*left*/) { return uint32_t{*row} << 16; }
  static __m128 four(const Element* row) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), x));
  }
  static uint32_t join(Element first, Element /*second*/) { return uint32_t{first} << 16; }
};

struct BFloat16Pair {
  using Element = uint16_t;
  static constexpr int64_t kElements = 2;

  static uint32_t unit(const Element* row, int64_t left) {
    return join(row[0], left > 1 ? row[1] : Element{0});
  }
  static __m128 four(const Element* row) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(row));
  }
  static uint32_t join(Element first, Element second) {
    return uint32_t{first} | uint32_t{second} << 16;
  }
};

/// One product by one kernel. Behind their ends packed operands hold zeros.
template <typename Reader>
class Product {
 public:
  Product(const GemmKernel& kernel, Tensor x, Tensor weight, WeightSide side, Tensor y, bool add)
      : kernel_(kernel),
        x_(x),
        weight_(weight),
        side_(side),
        y_(y),
        add_(add),
        units_(round_up(round_up(x.cols, Reader::kElements) / Reader::kElements, kernel.cols)),
        num_tiles_(round_up(x.rows, kernel.rows) / kernel.rows),
        tile_units_(kernel.rows * units_),
        num_panels_(round_up(y.cols, kernel.cols) / kernel.cols),
        panel_units_(kernel.cols * units_) {}

  void run() const {
    const Aligned<uint32_t> x = allocate<uint32_t>(num_tiles_ * tile_units_);
    at::parallel_for(0, num_tiles_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        pack_tile(tile * kernel_.rows, x.get() + tile * tile_units_);
      }
    });
    const int64_t held =
        std::max<int64_t>(1, kHeldBytes / (4 * kernel_.cols * std::min(kTerms, units_)));
    at::parallel_for(0, num_panels_, 1, [&](int64_t begin, int64_t end) {
      const Aligned<uint32_t> panels =
          allocate<uint32_t>(std::min(held, end - begin) * panel_units_);
      for (int64_t first = begin; first < end; first += held) {
        const int64_t count = std::min(held, end - first);
        for (int64_t i = 0; i < count; ++i) {
          pack_panel((first + i) * kernel_.cols, panels.get() + i * panel_units_);
        }
        multiply(x.get(), panels.get(), first, count);
      }
    });
  }

 private:
  using Element = typename Reader::Element;

  /// Units of a row that lie wholly in it.
  int64_t whole_units() const { return x_.cols / Reader::kElements; }

  uint32_t unit(const Element* row, int64_t index) const {
    const int64_t left = x_.cols - index * Reader::kElements;
    return left > 0 ? Reader::unit(row + index * Reader::kElements, left) : 0;
  }

  static void store(uint32_t* to, __m128 units) {
    _mm_storeu_ps(reinterpret_cast<float*>(to), units);
  }

  /// Rows of x from `begin` on as [units / cols, rows, cols].
  void pack_tile(int64_t begin, uint32_t* packed) const {
    const int64_t chunk = kernel_.cols;
    for (int64_t i = 0; i < kernel_.rows; ++i) {
      uint32_t* to = packed + i * chunk;
      const Element* row = begin + i < x_.rows ? x_.row<Element>(begin + i) : nullptr;
      for (int64_t u = 0; u < units_; u += chunk, to += kernel_.rows * chunk) {
        for (int64_t lane = 0; lane < chunk; lane += 4) {
          if (row != nullptr && u + lane + 4 <= whole_units()) {
            store(to + lane, Reader::four(row + (u + lane) * Reader::kElements));
          } else {
            for (int64_t j = lane; j < lane + 4; ++j) to[j] = row ? unit(row, u + j) : 0;
          }
        }
      }
    }
  }

  /// Columns of the product from `begin` on as [units, cols].
  void pack_panel(int64_t begin, uint32_t* packed) const {
    if (side_ == WeightSide::kRows) {
      for (int64_t col = 0; col < kernel_.cols; col += 4) {
        pack_four_rows(begin + col, packed + col);
      }
    } else {
      for (int64_t u = 0; u < units_; ++u) pack_row_unit(u, begin, packed + u * kernel_.cols);
    }
  }

  /// Rows [begin, begin + 4) of the weight, turned over.
  void pack_four_rows(int64_t begin, uint32_t* packed) const {
    const Element* rows[4];
    for (int64_t i = 0; i < 4; ++i) {
      rows[i] = begin + i < weight_.rows ? weight_.row<Element>(begin + i) : nullptr;
    }
    int64_t u = 0;
    for (; rows[3] != nullptr && u + 4 <= whole_units(); u += 4) {
      __m128 four[4];
      for (int64_t i = 0; i < 4; ++i) four[i] = Reader::four(rows[i] + u * Reader::kElements);
      _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
      for (int64_t i = 0; i < 4; ++i) store(packed + (u + i) * kernel_.cols, four[i]);
    }
    for (; u < units_; ++u) {
      for (int64_t i = 0; i < 4; ++i) {
        packed[u * kernel_.cols + i] = rows[i] != nullptr ? unit(rows[i], u) : 0;
      }
    }
  }

  /// The rows of the weight that make up unit `u`, columns from `begin` on.
  void pack_row_unit(int64_t u, int64_t begin, uint32_t* packed) const {
    const int64_t row = u * Reader::kElements;
    const int64_t cols = row < weight_.rows ? std::min(kernel_.cols, y_.cols - begin) : 0;
    if (cols > 0) {
      const Element* first = weight_.row<Element>(row) + begin;
      if (Reader::kElements == 1) {
        for (int64_t i = 0; i < cols; ++i) packed[i] = Reader::join(first[i], 0);
      } else if (row + 1 < weight_.rows) {
        const Element* second = weight_.row<Element>(row + 1) + begin;
        for (int64_t i = 0; i < cols; ++i) packed[i] = Reader::join(first[i], second[i]);
      } else {
        for (int64_t i = 0; i < cols; ++i) packed[i] = Reader::join(first[i], 0);
      }
    }
    std::fill(packed + cols, packed + kernel_.cols, 0);
  }

  /// All rows of `count` panels of y.
  void multiply(const uint32_t* x, const uint32_t* panels, int64_t first, int64_t count) const {
    const int64_t sums_of_tile = kernel_.rows * kernel_.cols;
    const int64_t held = std::min(num_tiles_, kHeldRows / kernel_.rows);
    const Aligned<float> sums = allocate<float>(held * count * sums_of_tile);
    for (int64_t tile = 0; tile < num_tiles_; tile += held) {
      const int64_t tiles = std::min(held, num_tiles_ - tile);
      std::fill_n(sums.get(), tiles * count * sums_of_tile, 0.0F);
      for (int64_t u = 0; u < units_; u += kTerms) {
        for (int64_t t = 0; t < tiles; ++t) {
          for (int64_t i = 0; i < count; ++i) {
            kernel_.add_tile(x + (tile + t) * tile_units_ + u * kernel_.rows,
                             kernel_.rows * kernel_.cols,
                             panels + i * panel_units_ + u * kernel_.cols,
                             std::min(kTerms, units_ - u),
                             sums.get() + (t * count + i) * sums_of_tile);
          }
        }
      }
      for (int64_t t = 0; t < tiles; ++t) {
        for (int64_t i = 0; i < count; ++i) {
          write_tile(sums.get() + (t * count + i) * sums_of_tile, tile + t, first + i);
        }
      }
    }
  }

  void write_tile(const float* sums, int64_t tile, int64_t panel) const {
    const int64_t row = tile * kernel_.rows;
    const int64_t col = panel * kernel_.cols;
    const int64_t cols = std::min(kernel_.cols, y_.cols - col);
    for (int64_t i = 0; i < std::min(kernel_.rows, y_.rows - row); ++i, sums += kernel_.cols) {
      if (y_.dtype == DType::kFloat32) {
        write(sums, y_.row<float>(row + i) + col, cols);
      } else {
        write(sums, y_.row<uint16_t>(row + i) + col, cols);
      }
    }
  }

  void write(const float* sums, float* y, int64_t count) const {
    if (add_) {
      for (int64_t i = 0; i < count; ++i) y[i] += sums[i];
    } else {
      std::copy_n(sums, count, y);
    }
  }

  void write(const float* sums, uint16_t* y, int64_t count) const {
    if (add_) {
      for (int64_t i = 0; i < count; ++i) {
        y[i] = rounded(sums[i] + std::bit_cast<float>(uint32_t{y[i]} << 16));
      }
    } else {
      for (int64_t i = 0; i < count; ++i) y[i] = rounded(sums[i]);
    }
  }

  /// The nearest bfloat16, of two the even one.
  static uint16_t rounded(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    const uint32_t nearest = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    return static_cast<uint16_t>(x == x ? nearest : 0x7FC0U);
  }

  const GemmKernel& kernel_;
  Tensor x_;
  Tensor weight_;
  WeightSide side_;
  Tensor y_;
  bool add_;
  int64_t units_;  // of a sum, in whole chunks
  int64_t num_tiles_;
  int64_t tile_units_;
  int64_t num_panels_;
  int64_t panel_units_;
};

// 12 of 16 registers hold sums.
__attribute__((target("avx2,fma"))) void add_tile_avx2(
    const uint32_t* x, int64_t x_stride, const uint32_t* weight, int64_t units, float* sums) {
  constexpr int64_t kRows = 6;
  constexpr int64_t kCols = 16;
  const auto* a = reinterpret_cast<const float*>(x);
  const auto* w = reinterpret_cast<const float*>(weight);
  __m256 tile[kRows][2];
#pragma GCC unroll 6
  for (int64_t i = 0; i < kRows; ++i) tile[i][0] = tile[i][1] = _mm256_setzero_ps();
  for (; units > 0; units -= kCols, a += x_stride) {
    const int64_t lanes = std::min(kCols, units);
    for (int64_t lane = 0; lane < lanes; ++lane, w += kCols) {
      const __m256 w0 = _mm256_load_ps(w);
      const __m256 w1 = _mm256_load_ps(w + 8);
#pragma GCC unroll 6
      for (int64_t i = 0; i < kRows; ++i) {
        const __m256 ai = _mm256_broadcast_ss(a + i * kCols + lane);
        tile[i][0] = _mm256_fmadd_ps(ai, w0, tile[i][0]);
        tile[i][1] = _mm256_fmadd_ps(ai, w1, tile[i][1]);
      }
    }
  }
#pragma GCC unroll 6
  for (int64_t i = 0; i < kRows; ++i, sums += kCols) {
    _mm256_store_ps(sums, _mm256_add_ps(_mm256_load_ps(sums), tile[i][0]));
    _mm256_store_ps(sums + 8, _mm256_add_ps(_mm256_load_ps(sums + 8), tile[i][1]));
  }
}

#define PRESCRIPT_AVX512 __attribute__((target("avx512f,avx512bf16")))

template <bool kPairs>
PRESCRIPT_AVX512 inline __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
  if constexpr (kPairs) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh&>(a), reinterpret_cast<__m512bh&>(b));
  } else {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
}

// 28 of 32 registers hold sums.
template <bool kPairs>
PRESCRIPT_AVX512 void add_tile_avx512(
    const uint32_t* x, int64_t x_stride, const uint32_t* weight, int64_t units, float* sums) {
  constexpr int64_t kRows = 14;
  constexpr int64_t kCols = 32;
  __m512 tile[kRows][2];
#pragma GCC unroll 14
  for (int64_t i = 0; i < kRows; ++i) tile[i][0] = tile[i][1] = _mm512_setzero_ps();
  for (; units > 0; units -= kCols, x += x_stride) {
    const int64_t lanes = std::min(kCols, units);
    for (int64_t lane = 0; lane < lanes; ++lane, weight += kCols) {
      const __m512i w0 = _mm512_load_si512(weight);
      const __m512i w1 = _mm512_load_si512(weight + 16);
#pragma GCC unroll 14
      for (int64_t i = 0; i < kRows; ++i) {
        const __m512i a = _mm512_set1_epi32(static_cast<int>(x[i * kCols + lane]));
        tile[i][0] = multiply_add<kPairs>(tile[i][0], a, w0);
        tile[i][1] = multiply_add<kPairs>(tile[i][1], a, w1);
      }
    }
  }
#pragma GCC unroll 14
  for (int64_t i = 0; i < kRows; ++i, sums += kCols) {
    _mm512_store_ps(sums, _mm512_add_ps(_mm512_load_ps(sums), tile[i][0]));
    _mm512_store_ps(sums + 16, _mm512_add_ps(_mm512_load_ps(sums + 16), tile[i][1]));
  }
}

}  // namespace

const std::vector<GemmKernel>& gemm_kernels() {
  static const std::vector<GemmKernel> kernels = [] {
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f");
    const bool pairs = avx512 && __builtin_cpu_supports("avx512bf16");
    return std::vector<GemmKernel>{
        {"AVX-512 BF16", pairs, 14, 32, true, &add_tile_avx512<true>},
        {"AVX-512", avx512, 14, 32, false, &add_tile_avx512<false>},
        {"AVX2", avx2, 6, 16, false, &add_tile_avx2},
    };
  }();
  return kernels;
}

const GemmKernel& gemm_kernel(DType dtype) {
  for (const GemmKernel& kernel : gemm_kernels()) {
    const bool fits = !kernel.takes_pairs || dtype == DType::kBFloat16;
    if (kernel.is_supported && fits) return kernel;
  }
  throw DeviceError("this processor has no AVX2; the cpu backend needs it");
}

void gemm(const GemmKernel& kernel, Tensor x, Tensor weight, WeightSide side, Tensor y, bool add) {
  PRESCRIPT_CHECK(x.dtype == weight.dtype && x.dtype != DType::kFloat64, "gemm: dtypes");
  PRESCRIPT_CHECK(y.dtype == x.dtype || y.dtype == DType::kFloat32, "gemm: dtype of y");
  PRESCRIPT_CHECK(x.dtype == DType::kBFloat16 || !kernel.takes_pairs, "gemm: pairs of float32");
  if (x.dtype == DType::kFloat32) {
    Product<Float32>(kernel, x, weight, side, y, add).run();
  } else if (kernel.takes_pairs) {
    Product<BFloat16Pair>(kernel, x, weight, side, y, add).run();
  } else {
    Product<WidenedBFloat16>(kernel, x, weight, side, y, add).run();
  }
}

}  // namespace prescript::cpu
