#pragma once
// The view by which everything above ops speaks of numbers in memory.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"

namespace prescript {

enum class DType { kFloat32, kBFloat16, kFloat64 };

/// Bytes of one element.
size_t size_of(DType dtype);

/// "fp32", "bf16" or "fp64".
const char* name_of(DType dtype);

/// A matrix that somebody else owns: `rows` x `cols` elements, row r starting `r * stride` elements
/// behind `data`. Vectors are matrices of one row. Copying a Tensor copies the view. Every tensor
/// of the tensor side is one; heads are folded into columns ([N, H, E] is N rows of H*E columns).
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  /// Rows [begin, begin + count).
  Tensor row_range(int64_t begin, int64_t count) const;

  /// Columns [begin, begin + count); the stride stays.
  Tensor col_range(int64_t begin, int64_t count) const;

  bool is_contiguous() const { return stride == cols || rows <= 1; }
  int64_t num_elements() const { return rows * cols; }

  /// Start of row `row` as elements of type T. The caller knows the dtype.
  template <typename T>
  T* row(int64_t row) const {
    return static_cast<T*>(data) + row * stride;
  }

  /// "[rows, cols] dtype", for messages.
  std::string describe() const;
};

/// A frozen matrix in the layout that its backend multiplies by (Ops::lay_out): above ops nobody
/// looks inside, but every layout keeps runs of kRowMultiple rows together. Somebody else owns the
/// memory; copying a Weight copies the view.
struct Weight {
  void* data = nullptr;
  DType dtype = DType::kFloat32;
  int64_t rows = 0;
  int64_t cols = 0;

  /// What a layout may take: whole panels of rows, pairs of columns, and a tile read past the end.
  static constexpr int64_t kRowMultiple = 32;
  static constexpr size_t kTail = 2048;
  size_t bytes() const;

  /// Elements that a row takes.
  int64_t row_size() const { return (cols + 1) / 2 * 2; }

  /// Rows [begin, begin + count); begin must be a multiple of kRowMultiple.
  Weight row_range(int64_t begin, int64_t count) const;

  std::string describe() const;
};

}  // namespace prescript
