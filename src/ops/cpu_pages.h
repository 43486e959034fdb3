#pragma once
// Large blocks of memory, used again.

#include <cstddef>
#include <mutex>
#include <vector>

namespace prescript::cpu {

/// Blocks of pages from the system. A block that is given back serves a later request: a step takes
/// what the step before gave back, and touches no fresh pages. What is not asked for is returned to
/// the system: the pages behind the end of a request, and before a new block is mapped all free
/// ones of its kind, which were too small. So free and taken blocks together hold about what was
/// taken at a time. Safe to use from several threads.
class PagePool {
 public:
  struct Block {
    void* data = nullptr;  // aligned to a huge page
    size_t bytes = 0;      // that it has room for
    void* mapping = nullptr;
    size_t mapped_bytes = 0;
  };

  /// Requests from here on are large: they share no blocks with the others.
  static constexpr size_t kLarge = size_t{32} << 20;

  PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;
  ~PagePool();

  /// At least `bytes`, uninitialised. Throws DeviceError when there is not enough.
  Block take(size_t bytes);
  void give_back(Block block);

 private:
  void unmap_free_ones(bool large);

  std::mutex mutex_;
  std::vector<Block> free_;
};

}  // namespace prescript::cpu
