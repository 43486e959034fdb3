#pragma once
// Memory for tensors, handed out in order from one block.

#include <cstddef>

#include "base/tensor.h"

namespace prescript {

/// Hands out tensors from a block that somebody else owns, one behind the other, each starting at a
/// multiple of kAlignment bytes: the same requests give the same addresses modulo kAlignment, which
/// keeps products bit-identical from run to run. A layout is written once, as a function of an
/// Arena&, and run twice: over a measuring arena to learn how many bytes it takes, then over the
/// block.
class Arena {
 public:
  static constexpr size_t kAlignment = 64;  // a cache line, and the widest vector register

  /// An arena without a block: tensors have null data, `used()` counts.
  Arena() = default;

  /// `data` must be aligned to kAlignment.
  Arena(void* data, size_t bytes) : data_(static_cast<std::byte*>(data)), bytes_(bytes) {}

  /// A contiguous, uninitialised tensor. Throws ContractError when the block is too small.
  Tensor take(int64_t rows, int64_t cols, DType dtype);

  /// Uninitialised room for a weight in whatever layout.
  Weight take_weight(int64_t rows, int64_t cols, DType dtype);

  size_t used() const { return used_; }

 private:
  void* take_bytes(size_t bytes);

  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  size_t used_ = 0;
};

}  // namespace prescript
