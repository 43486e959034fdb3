#pragma once
// Scratch memory of the cpu backend's kernels.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace prescript::cpu {

constexpr int64_t round_up(int64_t x, int64_t step) {
  return (x + step - 1) / step * step;
}

/// Aligned memory that is not initialised.
template <typename T>
using Aligned = std::unique_ptr<T[], decltype(&std::free)>;

template <typename T>
Aligned<T> allocate(int64_t count) {
  void* data = std::aligned_alloc(64, static_cast<size_t>(round_up(count, 16)) * sizeof(T));
  if (data == nullptr) throw std::bad_alloc();
  return {static_cast<T*>(data), &std::free};
}

}  // namespace prescript::cpu
