#include "ops/cpu_pages.h"

#include <cerrno>
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
  unmap_all();
}

PagePool::Block PagePool::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    const bool fits = block->bytes >= bytes && block->bytes / 2 <= bytes;
    if (fits && (best == free_.end() || block->bytes < best->bytes)) best = block;
  }
  if (best == free_.end()) {
    unmap_all();
    return map(bytes);
  }
  const Block block = *best;
  free_.erase(best);
  return block;
}

void PagePool::give_back(Block block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(block);
}

void PagePool::unmap_all() {
  for (const Block& block : free_) munmap(block.mapping, block.mapped_bytes);
  free_.clear();
}

}  // namespace prescript::cpu
