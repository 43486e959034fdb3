#pragma once
// Large blocks of memory, used again.

#include <cstddef>
#include <mutex>
#include <vector>

namespace prescript::cpu {

/// Blocks of pages from the system. A block that is given back serves the next request of about its
/// size: a step takes what the step before gave back, and touches no fresh pages. What serves no
/// request is returned to the system before more is taken from it. Safe to use from several
/// threads.
class PagePool {
 public:
  struct Block {
    void* data = nullptr;  // aligned to a huge page
    size_t bytes = 0;
    void* mapping = nullptr;
    size_t mapped_bytes = 0;
  };

  PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;
  ~PagePool();

  /// At least `bytes`, uninitialised. Throws DeviceError when there is not enough.
  Block take(size_t bytes);
  void give_back(Block block);

 private:
  void unmap_all();

  std::mutex mutex_;
  std::vector<Block> free_;
};

}  // namespace prescript::cpu
