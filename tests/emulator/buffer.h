#pragma once
// Device memory of a test.

#include <cstddef>

#include "emulator/memory.h"

namespace prescript::emulator {

template <typename T>
class Buffer {
 public:
  explicit Buffer(size_t size) : data_(static_cast<T*>(allocate(size * sizeof(T)))), size_(size) {}
  ~Buffer() { release(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return data_; }
  size_t size() const { return size_; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  T& operator[](size_t i) { return data_[i]; }

 private:
  T* data_;
  size_t size_;
};

}  // namespace prescript::emulator
