#pragma once
// Memory of the cpu backend's kernels.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include <sys/mman.h>

namespace prescript::cpu {

constexpr int64_t round_up(int64_t x, int64_t step) {
  return (x + step - 1) / step * step;
}

/// Bytes of a huge page. Memory that is large enough is asked to lie in them: a step touches
/// hundreds of MB, and small pages cost a fault each and entries of the translation buffer.
inline constexpr size_t kHugePage = size_t{2} << 20;

/// Aligned memory that is not initialised.
template <typename T>
using Aligned = std::unique_ptr<T[], decltype(&std::free)>;

template <typename T>
Aligned<T> allocate(int64_t count) {
  const size_t bytes = static_cast<size_t>(round_up(count, 16)) * sizeof(T);
  const bool is_large = bytes >= 2 * kHugePage;
  const size_t alignment = is_large ? kHugePage : 64;
  void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (data == nullptr) throw std::bad_alloc();
  if (is_large) madvise(data, bytes, MADV_HUGEPAGE);  // a wish: without it all works as well
  return {static_cast<T*>(data), &std::free};
}

/// Memory that outlives a call, to be held by a thread: a step touches no fresh pages.
class Scratch {
 public:
  /// Uninitialised; what was taken before is lost.
  template <typename T>
  T* take(int64_t count) {
    const int64_t bytes = count * static_cast<int64_t>(sizeof(T));
    if (bytes > size_) {
      data_ = allocate<std::byte>(bytes);
      size_ = bytes;
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  Aligned<std::byte> data_{nullptr, &std::free};
  int64_t size_ = 0;
};

}  // namespace prescript::cpu
