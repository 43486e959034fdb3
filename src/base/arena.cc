#include "base/arena.h"

namespace prescript {

Tensor Arena::take(int64_t rows, int64_t cols, DType dtype) {
  PRESCRIPT_CHECK(rows >= 0 && cols >= 0, "negative extent");
  const size_t bytes = static_cast<size_t>(rows) * static_cast<size_t>(cols) * size_of(dtype);
  return Tensor{take_bytes(bytes), dtype, rows, cols, cols};
}

Weight Arena::take_weight(int64_t rows, int64_t cols, DType dtype) {
  PRESCRIPT_CHECK(rows >= 0 && cols >= 0, "negative extent");
  Weight weight{nullptr, dtype, rows, cols};
  weight.data = take_bytes(weight.bytes());
  return weight;
}

void* Arena::take_bytes(size_t bytes) {
  const size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  std::byte* begin = nullptr;
  if (data_ != nullptr) {
    PRESCRIPT_CHECK(padded <= bytes_ - used_,
                    "arena of " + std::to_string(bytes_) + " bytes is too small for " +
                        std::to_string(used_ + padded));
    begin = data_ + used_;
  }
  used_ += padded;
  return begin;
}

}  // namespace prescript
