#include "emulator/race_detector.h"

#include <bit>

#include "emulator/memory.h"
#include "emulator/source_line.h"

namespace prescript::emulator {
namespace {

using Kind = RaceReport::Kind;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kReadAfterWrite:
      return "a read races with a write";
    case Kind::kWriteAfterWrite:
      return "a write races with a write";
    case Kind::kWriteAfterRead:
      return "a write races with a read";
    case Kind::kUninitialized:
      return "a read of shared memory that nobody wrote";
    case Kind::kOutOfBounds:
      return "an access outside of buffers";
    case Kind::kMisaligned:
      return "a misaligned access";
  }
  return "";
}

}  // namespace

std::string RaceReport::describe() const {
  std::string text = kernel + ": " + name_of(kind) + "\n  thread " + std::to_string(thread) +
                     " at byte " + std::to_string(offset) + ": " + source_line(code);
  if (other_code != nullptr) {
    text += "\n  thread " + std::to_string(other_thread) + ": " + source_line(other_code);
  }
  return text;
}

std::string RaceDetector::describe() const {
  std::string text;
  for (const RaceReport& report : reports_) text += report.describe() + "\n";
  return text;
}

void RaceDetector::on_launch(const Launch& launch) {
  kernel_ = launch.kernel;
  threads_of_block_ = uint64_t{launch.block.x} * launch.block.y * launch.block.z;
  ++launch_;
}

std::vector<RaceDetector::Pair>& RaceDetector::shadow_of(const Allocation& allocation) {
  if (shadow_ == nullptr || shadow_id_ != allocation.id) {
    auto& [id, pairs] = shadows_[allocation.begin];
    if (id != allocation.id) {
      id = allocation.id;
      pairs.assign(allocation.bytes / 2 + 1, {});
    }
    shadow_ = &pairs;
    shadow_id_ = allocation.id;
  }
  return *shadow_;
}

bool RaceDetector::is_unordered(const Access& earlier) const {
  if (earlier.thread == 0 || earlier.thread == running->in_grid + 1) return false;
  const uint64_t other = earlier.thread - 1;
  if (other / threads_of_block_ != running->in_grid / threads_of_block_) return true;
  const uint64_t warp = other % threads_of_block_ / 32;
  if (warp != running->warp) return running->known_intervals[warp] <= earlier.block_interval;
  return earlier.block_interval == running->block_interval &&
         earlier.warp_interval == running->warp_interval;
}

void RaceDetector::report(Kind kind, const void* code, const Access& other, size_t offset) {
  if (!seen_.try_emplace({kind, code, other.code}, true).second) return;
  reports_.push_back({kind,
                      kernel_,
                      code,
                      other.code,
                      running->in_grid,
                      other.thread == 0 ? 0 : other.thread - 1,
                      offset});
}

// Whether the next pair is worth a look: of one access the first finding is enough.
bool RaceDetector::check_pair(
    Pair& pair, bool is_shared, bool is_write, const void* code, size_t offset) {
  const uint64_t epoch = is_shared ? block_ : launch_;
  if (pair.epoch != epoch) {
    pair = {};
    pair.epoch = epoch;
  }
  const Access now{running->in_grid + 1, running->block_interval, running->warp_interval, code};
  if (is_unordered(pair.write)) {
    report(is_write ? Kind::kWriteAfterWrite : Kind::kReadAfterWrite, code, pair.write, offset);
    return false;
  }
  if (!is_write) {
    if (is_shared && pair.write.thread == 0) {
      report(Kind::kUninitialized, code, {}, offset);
      return false;
    }
    // A later read of the same thread tells more; of others, the last two are kept.
    if (pair.reads[0].thread != now.thread) pair.reads[1] = pair.reads[0];
    pair.reads[0] = now;
    return true;
  }
  for (const Access& read : pair.reads) {
    if (is_unordered(read)) {
      report(Kind::kWriteAfterRead, code, read, offset);
      return false;
    }
  }
  pair.write = now;
  return true;
}

void RaceDetector::on_access(const void* address, size_t bytes, bool is_write, const void* code) {
  if (running == nullptr) return;
  const Allocation* allocation = find_allocation(address);
  if (allocation == nullptr) {
    if (is_device_address(address)) report(Kind::kOutOfBounds, code, {}, 0);
    return;
  }
  const auto offset =
      static_cast<size_t>(static_cast<const unsigned char*>(address) - allocation->begin);
  if (offset + bytes > allocation->bytes) {
    report(Kind::kOutOfBounds, code, {}, offset);
    return;
  }
  const bool is_one_access = bytes <= 16 && std::has_single_bit(bytes);
  if (is_one_access && reinterpret_cast<uintptr_t>(address) % bytes != 0) {
    report(Kind::kMisaligned, code, {}, offset);
  }
  std::vector<Pair>& shadow = shadow_of(*allocation);
  for (size_t pair = offset / 2; pair <= (offset + bytes - 1) / 2; ++pair) {
    if (!check_pair(shadow[pair], allocation->is_shared, is_write, code, offset)) return;
  }
}

}  // namespace prescript::emulator
