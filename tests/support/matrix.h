#pragma once
// Matrices of float64 numbers on the host, and their copies in a backend's memory.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "ops/ops.h"

namespace prescript {

struct Matrix {
  int64_t rows = 0;
  int64_t cols = 0;
  std::vector<double> values;  // row-major

  Matrix() = default;
  Matrix(int64_t num_rows, int64_t num_cols, double value = 0)
      : rows(num_rows), cols(num_cols), values(static_cast<size_t>(num_rows * num_cols), value) {}

  double* row(int64_t index) { return values.data() + index * cols; }
  const double* row(int64_t index) const { return values.data() + index * cols; }
  double& at(int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; }
  double at(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * cols + c)]; }

  Matrix row_range(int64_t begin, int64_t count) const {
    Matrix part(count, cols);
    std::copy_n(row(begin), count * cols, part.values.begin());
    return part;
  }
};

/// The nearest bfloat16 number: every dtype holds it, so that all backends see the same inputs.
inline double round_to_bf16(double x) {
  const auto bits = std::bit_cast<uint32_t>(static_cast<float>(x));
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000U;
  return std::bit_cast<float>(rounded);
}

/// Normally distributed numbers, rounded to bfloat16, that depend on nothing but the arguments.
inline Matrix random_matrix(int64_t rows,
                            int64_t cols,
                            std::string_view name,
                            double deviation = 1,
                            double mean = 0,
                            uint64_t seed = 1) {
  RandomStream stream(seed, name);
  Matrix x(rows, cols);
  for (double& value : x.values) value = round_to_bf16(mean + deviation * stream.normal());
  return x;
}

inline ReadRows reader_of(const Matrix& x) {
  return [&x](int64_t begin, int64_t count, float* rows) {
    std::copy_n(x.row(begin), count * x.cols, rows);
  };
}

/// A backend, a compute dtype, and the memory of the tensors that a test puts there.
class Workbench {
 public:
  Workbench(Ops& ops, DType dtype) : ops_(ops), dtype_(dtype) {}

  Ops& ops() { return ops_; }
  DType dtype() const { return dtype_; }
  DType sums() const { return ops_.accumulate_dtype(); }

  /// Uninitialised. With `guard` the tensor is a slice of columns with that many on either side.
  Tensor take(int64_t rows, int64_t cols, DType dtype, int64_t guard = 0) {
    const int64_t width = cols + 2 * guard;
    blocks_.push_back(ops_.allocate(static_cast<size_t>(rows * width) * size_of(dtype)));
    const Tensor whole{blocks_.back().get(), dtype, rows, width, width};
    if (guard == 0) return whole;
    write(Matrix(rows, width, kGuard), whole);
    guards_.push_back(whole.col_range(0, guard));
    guards_.push_back(whole.col_range(guard + cols, guard));
    return whole.col_range(guard, cols);
  }

  Tensor put(const Matrix& x, DType dtype, int64_t guard = 0) {
    const Tensor y = take(x.rows, x.cols, dtype, guard);
    write(x, y);
    return y;
  }
  Tensor put(const Matrix& x) { return put(x, dtype_); }

  /// A frozen weight.
  Weight put_weight(const Matrix& x) {
    Weight weight{nullptr, dtype_, x.rows, x.cols};
    blocks_.push_back(ops_.allocate(weight.bytes()));
    weight.data = blocks_.back().get();
    // Where zeros belong, something else lay before.
    const auto size = static_cast<int64_t>(weight.bytes() / size_of(sums()));
    write(Matrix(1, size, NAN), {weight.data, sums(), 1, size, size});
    ops_.lay_out(reader_of(x), weight);
    return weight;
  }

  Matrix get(Weight x, int64_t begin, int64_t num_rows) {
    std::vector<Row> rows;
    for (int64_t r = 0; r < num_rows; ++r)
      rows.push_back(Row::token(static_cast<int32_t>(begin + r)));
    const Tensor y = take(num_rows, x.cols, x.dtype);
    ops_.embed(x, 1, {}, rows, y);
    return get(y);
  }
  Matrix get(Weight x) { return get(x, 0, x.rows); }

  /// float64 tensors exist in backends only whose memory is the host's.
  void write(const Matrix& x, Tensor y) {
    if (y.dtype == DType::kFloat64) {
      for (int64_t r = 0; r < x.rows; ++r) std::copy_n(x.row(r), x.cols, y.row<double>(r));
      return;
    }
    const std::vector<float> narrow(x.values.begin(), x.values.end());
    ops_.upload(narrow.data(), y);
  }

  Matrix get(Tensor x) {
    Matrix y(x.rows, x.cols);
    if (x.dtype == DType::kFloat64) {
      for (int64_t r = 0; r < x.rows; ++r) std::copy_n(x.row<double>(r), x.cols, y.row(r));
      return y;
    }
    std::vector<float> narrow(y.values.size());
    ops_.download(x, narrow.data());
    std::copy(narrow.begin(), narrow.end(), y.values.begin());
    return y;
  }

  /// Frees all that was put here, and forgets its guards.
  void clear() {
    guards_.clear();
    blocks_.clear();
  }

  /// Whether nothing was written beside the guarded slices.
  bool guards_are_intact() {
    return std::all_of(guards_.begin(), guards_.end(), [this](const Tensor& guard) {
      const Matrix x = get(guard);
      return std::all_of(
          x.values.begin(), x.values.end(), [](double value) { return value == kGuard; });
    });
  }

 private:
  static constexpr double kGuard = 77;

  Ops& ops_;
  DType dtype_;
  std::vector<Buffer> blocks_;
  std::vector<Tensor> guards_;
};

}  // namespace prescript
