#include "ops/cpu_pages.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

#include <sys/mman.h>

#include "base/error.h"
#include "ops/aligned.h"

namespace prescript::cpu {
namespace {

PagePool::Block map(size_t bytes) {
  PagePool::Block block{.bytes = bytes, .mapped_bytes = bytes + kHugePage};
  const bool overflows = block.mapped_bytes < bytes;
  block.mapping = overflows ? MAP_FAILED
                            : mmap(nullptr,
                                   block.mapped_bytes,
                                   PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS,
                                   -1,
                                   0);
  if (block.mapping == MAP_FAILED) {
    throw DeviceError("mmap of " + std::to_string(bytes) +
                      " bytes: " + std::strerror(overflows ? ENOMEM : errno));
  }
  block.data = block.mapping;
  size_t space = block.mapped_bytes;
  std::align(kHugePage, bytes, block.data, space);
  // A wish: without it all works as well. Small blocks would take more than they need.
  if (bytes >= 2 * kHugePage) madvise(block.data, bytes, MADV_HUGEPAGE);
  return block;
}

}  // namespace

PagePool::~PagePool() {
  for (const bool large : {false, true}) unmap_free_ones(large);
}

PagePool::Block PagePool::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  const bool large = bytes >= kLarge;
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    const bool fits = block->bytes >= bytes && (block->bytes >= kLarge) == large;
    if (fits && (best == free_.end() || block->bytes < best->bytes)) best = block;
  }
  if (best == free_.end()) {
    unmap_free_ones(large);
    return map(bytes);
  }
  const Block block = *best;
  free_.erase(best);
  const size_t asked = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  if (block.bytes > asked) {
    madvise(static_cast<std::byte*>(block.data) + asked, block.bytes - asked, MADV_DONTNEED);
  }
  return block;
}

void PagePool::give_back(Block block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(block);
}

void PagePool::unmap_free_ones(bool large) {
  std::erase_if(free_, [large](const Block& block) {
    if ((block.bytes >= kLarge) != large) return false;
    munmap(block.mapping, block.mapped_bytes);
    return true;
  });
}

}  // namespace prescript::cpu
