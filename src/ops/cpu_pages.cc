#include "ops/cpu_pages.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include <sys/mman.h>

#include "base/error.h"
#include "ops/aligned.h"

namespace prescript::cpu {
namespace {

// Smaller blocks would take more than they need in huge pages.
constexpr size_t kLeastInHugePages = 2 * kHugePage;

/// `bytes` in whole pages of the size in which they lie, at least one.
size_t in_pages(size_t bytes) {
  constexpr size_t kPage = 4096;
  const size_t page = bytes >= kLeastInHugePages ? kHugePage : kPage;
  return std::max<size_t>(1, (bytes + page - 1) / page) * page;
}

DeviceError too_large(size_t bytes, int error) {
  return DeviceError("mmap of " + std::to_string(bytes) + " bytes: " + std::strerror(error));
}

}  // namespace

PagePool::~PagePool() {
  for (const Kind* kind : {&small_, &large_}) {
    for (const Block& block : kind->blocks) munmap(block.mapping, block.mapped_bytes);
  }
}

void* PagePool::take(size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > SIZE_MAX - 2 * kHugePage) throw too_large(bytes, ENOMEM);
  Kind& kind = bytes >= kLarge ? large_ : small_;
  const size_t asked = in_pages(bytes);
  if (Block* const block = smallest_free(kind, asked)) {
    block->asked = asked;
    block->held = std::max(block->held, asked);
    void* const data = block->data;
    make_room(kind, 0);
    return data;
  }
  make_room(kind, asked);
  const Block block = map(asked);
  kind.blocks.push_back(block);
  return block.data;
}

void PagePool::give_back(void* data) {
  const std::lock_guard lock(mutex_);
  for (Kind* kind : {&small_, &large_}) {
    for (Block& block : kind->blocks) {
      if (block.data == data) block.asked = 0;
    }
  }
}

PagePool::Block PagePool::map(size_t bytes) {
  Block block{.bytes = bytes, .mapped_bytes = bytes + kHugePage, .asked = bytes, .held = bytes};
  block.mapping =
      mmap(nullptr, block.mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block.mapping == MAP_FAILED) {
    throw too_large(bytes, errno);
  }
  block.data = block.mapping;
  size_t space = block.mapped_bytes;
  std::align(kHugePage, bytes, block.data, space);
  // A wish: without it all works as well.
  if (bytes >= kLeastInHugePages) madvise(block.data, bytes, MADV_HUGEPAGE);
  return block;
}

/// With room for `bytes`; null where there is none.
PagePool::Block* PagePool::smallest_free(Kind& kind, size_t bytes) {
  Block* best = nullptr;
  for (Block& block : kind.blocks) {
    const bool fits = block.asked == 0 && block.bytes >= bytes;
    if (fits && (best == nullptr || block.bytes < best->bytes)) best = &block;
  }
  return best;
}

/// For a new block of `bytes`, if any: returns free blocks, and behind them what is not asked for
/// of others, until all that is held is no more than was asked for at a time.
void PagePool::make_room(Kind& kind, size_t bytes) {
  size_t asked = bytes;
  size_t held = bytes;
  for (const Block& block : kind.blocks) {
    asked += block.asked;
    held += block.held;
  }
  kind.most_asked = std::max(kind.most_asked, asked);
  std::erase_if(kind.blocks, [&](const Block& block) {
    if (held <= kind.most_asked || block.asked > 0) return false;
    held -= block.held;
    munmap(block.mapping, block.mapped_bytes);
    return true;
  });
  for (Block& block : kind.blocks) {
    if (held <= kind.most_asked) return;
    auto* const behind = static_cast<std::byte*>(block.data) + block.asked;
    madvise(behind, block.held - block.asked, MADV_DONTNEED);
    held -= block.held - block.asked;
    block.held = block.asked;
  }
}

}  // namespace prescript::cpu
