#pragma once
// Large blocks of memory, used again.

#include <cstddef>
#include <mutex>
#include <vector>

namespace prescript::cpu {

/// Blocks of pages from the system. A block that is given back serves a later request with the
/// pages that it has: a step takes what the step before gave back, and touches no fresh ones. Pages
/// that nobody has asked for are returned to the system as soon as all that are held, of free and
/// taken blocks, would be more than were ever asked for at a time. Safe to use from several
/// threads.
class PagePool {
 public:
  /// Requests from here on are large: they share no blocks with the others.
  static constexpr size_t kLarge = size_t{32} << 20;

  PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;
  ~PagePool();

  /// At least `bytes`, uninitialised, aligned to a huge page. Throws DeviceError when there is not
  /// enough.
  void* take(size_t bytes);
  void give_back(void* data);

 private:
  struct Block {
    void* data = nullptr;
    size_t bytes = 0;  // that it has room for
    void* mapping = nullptr;
    size_t mapped_bytes = 0;
    size_t asked = 0;  // by whom has it; 0: it is free
    size_t held = 0;   // at its front, in pages that the system may have given
  };

  struct Kind {
    std::vector<Block> blocks = {};
    size_t most_asked = 0;  // bytes, at a time
  };

  static Block map(size_t bytes);
  static Block* smallest_free(Kind& kind, size_t bytes);
  static void make_room(Kind& kind, size_t bytes);

  std::mutex mutex_;
  Kind small_;
  Kind large_;
};

}  // namespace prescript::cpu
