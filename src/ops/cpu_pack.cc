#include "ops/cpu_pack.h"

#include <algorithm>

#include <immintrin.h>

#include "ops/aligned.h"

namespace prescript::cpu {
namespace {

// How a row is read as units.

struct Float32 {
  using Element = uint32_t;
  static constexpr int64_t kElements = 1;  // of a unit

  static uint32_t unit(const Element* row, int64_t /*left*/) { return *row; }
  static __m128 four(const Element* row) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(row));
  }
};

struct WidenedBFloat16 {
  using Element = uint16_t;
  static constexpr int64_t kElements = 1;

  static uint32_t unit(const Element* row, int64_t /*left*/) { return uint32_t{*row} << 16; }
  static __m128 four(const Element* row) {
    const __m128i x = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(row));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), x));
  }
};

struct BFloat16Pair {
  using Element = uint16_t;
  static constexpr int64_t kElements = 2;

  static uint32_t unit(const Element* row, int64_t left) {
    return left > 1 ? uint32_t{row[0]} | uint32_t{row[1]} << 16 : row[0];
  }
  static __m128 four(const Element* row) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(row));
  }
};

template <typename Reader>
class Packing {
 public:
  Packing(const GemmKernel& kernel, const Operand& operand)
      : kernel_(kernel), operand_(operand), whole_units_(operand.x.cols / Reader::kElements) {}

  void pack_left(uint32_t* packed) const {
    const int64_t tile_units = kernel_.rows * round_up(operand_.num_units, kernel_.cols);
    for (int64_t row = 0; row < operand_.num_rows; row += kernel_.rows, packed += tile_units) {
      pack_tile(row, packed);
    }
  }

  void pack_right(uint32_t* packed) const {
    const int64_t panel_units = operand_.num_units * kernel_.cols;
    for (int64_t row = 0; row < operand_.num_rows; row += kernel_.cols, packed += panel_units) {
      for (int64_t col = 0; col < kernel_.cols; col += 4) pack_columns(row + col, packed + col);
    }
  }

 private:
  using Element = typename Reader::Element;

  const Element* row(int64_t index) const {
    return index < operand_.num_rows ? operand_.x.row<Element>(operand_.row + index) : nullptr;
  }

  /// Unit `index` of the operand, zero behind its end.
  uint32_t unit(const Element* row, int64_t index) const {
    if (row == nullptr || index >= operand_.num_units) return 0;
    const int64_t element = (operand_.begin + index) * Reader::kElements;
    return Reader::unit(row + element, operand_.x.cols - element);
  }

  /// Units that can be read four at a time.
  int64_t whole_fours() const {
    return std::min(operand_.num_units, whole_units_ - operand_.begin) / 4 * 4;
  }

  static __m128 four(const Element* row, int64_t unit) {
    return Reader::four(row + unit * Reader::kElements);
  }
  static void store(uint32_t* to, __m128 units) {
    _mm_storeu_ps(reinterpret_cast<float*>(to), units);
  }

  void pack_tile(int64_t first, uint32_t* packed) const {
    const int64_t chunk = kernel_.cols;
    const int64_t fours = whole_fours();
    for (int64_t i = 0; i < kernel_.rows; ++i) {
      const Element* const from = row(first + i);
      uint32_t* to = packed + i * chunk;
      for (int64_t u = 0; u < operand_.num_units; u += chunk, to += kernel_.rows * chunk) {
        for (int64_t lane = 0; lane < chunk; lane += 4) {
          if (from != nullptr && u + lane < fours) {
            store(to + lane, four(from, operand_.begin + u + lane));
          } else {
            for (int64_t k = lane; k < lane + 4; ++k) to[k] = unit(from, u + k);
          }
        }
      }
    }
  }

  /// Four rows, turned over.
  void pack_columns(int64_t first, uint32_t* packed) const {
    const Element* const rows[4] = {row(first), row(first + 1), row(first + 2), row(first + 3)};
    const int64_t fours = rows[3] != nullptr ? whole_fours() : 0;
    for (int64_t u = 0; u < fours; u += 4) {
      __m128 x[4];
      for (int64_t i = 0; i < 4; ++i) x[i] = four(rows[i], operand_.begin + u);
      _MM_TRANSPOSE4_PS(x[0], x[1], x[2], x[3]);
      for (int64_t i = 0; i < 4; ++i) store(packed + (u + i) * kernel_.cols, x[i]);
    }
    for (int64_t u = fours; u < operand_.num_units; ++u) {
      for (int64_t i = 0; i < 4; ++i) packed[u * kernel_.cols + i] = unit(rows[i], u);
    }
  }

  const GemmKernel& kernel_;
  const Operand& operand_;
  int64_t whole_units_;  // of a row of x
};

template <typename Body>
void with_packing(const GemmKernel& kernel, const Operand& operand, const Body& body) {
  if (operand.x.dtype == DType::kFloat32) {
    body(Packing<Float32>(kernel, operand));
  } else if (kernel.takes_pairs) {
    body(Packing<BFloat16Pair>(kernel, operand));
  } else {
    body(Packing<WidenedBFloat16>(kernel, operand));
  }
}

}  // namespace

void pack_left(const GemmKernel& kernel, const Operand& operand, uint32_t* packed) {
  with_packing(kernel, operand, [&](const auto& packing) { packing.pack_left(packed); });
}

void pack_right(const GemmKernel& kernel, const Operand& operand, uint32_t* packed) {
  with_packing(kernel, operand, [&](const auto& packing) { packing.pack_right(packed); });
}

}  // namespace prescript::cpu
