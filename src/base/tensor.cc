#include "base/tensor.h"

namespace prescript {

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 4;
    case DType::kBFloat16:
      return 2;
    case DType::kFloat64:
      return 8;
  }
  throw ContractError("unknown dtype");
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "fp32";
    case DType::kBFloat16:
      return "bf16";
    case DType::kFloat64:
      return "fp64";
  }
  throw ContractError("unknown dtype");
}

Tensor Tensor::row_range(int64_t begin, int64_t count) const {
  PRESCRIPT_CHECK(
      begin >= 0 && count >= 0 && begin + count <= rows,
      "rows " + std::to_string(begin) + "+" + std::to_string(count) + " of " + describe());
  Tensor view = *this;
  view.data = static_cast<std::byte*>(data) + static_cast<size_t>(begin * stride) * size_of(dtype);
  view.rows = count;
  return view;
}

Tensor Tensor::col_range(int64_t begin, int64_t count) const {
  PRESCRIPT_CHECK(
      begin >= 0 && count >= 0 && begin + count <= cols,
      "columns " + std::to_string(begin) + "+" + std::to_string(count) + " of " + describe());
  Tensor view = *this;
  view.data = static_cast<std::byte*>(data) + static_cast<size_t>(begin) * size_of(dtype);
  view.cols = count;
  return view;
}

std::string Tensor::describe() const {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "] " + name_of(dtype);
}

size_t Weight::bytes() const {
  const int64_t padded_rows = (rows + kRowMultiple - 1) / kRowMultiple * kRowMultiple;
  return static_cast<size_t>(padded_rows * row_size()) * size_of(dtype) + kTail;
}

Weight Weight::row_range(int64_t begin, int64_t count) const {
  PRESCRIPT_CHECK(
      begin >= 0 && begin % kRowMultiple == 0 && count >= 0 && begin + count <= rows,
      "rows " + std::to_string(begin) + "+" + std::to_string(count) + " of " + describe());
  Weight view = *this;
  view.data =
      static_cast<std::byte*>(data) + static_cast<size_t>(begin * row_size()) * size_of(dtype);
  view.rows = count;
  return view;
}

std::string Weight::describe() const {
  return "weight " + Tensor{nullptr, dtype, rows, cols, cols}.describe();
}

}  // namespace prescript
