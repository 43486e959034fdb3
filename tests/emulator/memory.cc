#include "emulator/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <new>
#include <vector>

#include <sys/mman.h>

namespace prescript::emulator {
namespace {

constexpr int kNan = 0xFF;
constexpr size_t kAlignment = 1024;

#ifdef __SANITIZE_ADDRESS__

// Each buffer is a block of the heap, of exactly its size.
class Memory {
 public:
  void* take(size_t bytes) {
    void* buffer = nullptr;
    if (posix_memalign(&buffer, kAlignment, std::max<size_t>(bytes, 1)) != 0)
      throw std::bad_alloc();
    return buffer;
  }
  void give_back(void* buffer, size_t) { std::free(buffer); }
  bool holds(const void*) const { return false; }
  bool gap_is_damaged(const Allocation&) const { return false; }
};

#else

// One range of addresses; a buffer's neighbours are gaps of a known content.
class Memory {
 public:
  void* take(size_t bytes) {
    std::vector<char*>& free_ones = free_[rounded(bytes)];
    char* buffer = nullptr;
    if (free_ones.empty()) {
      if (data_ == nullptr) reserve();
      if (used_ + rounded(bytes) + 2 * kGap > kBytes) throw std::bad_alloc();
      buffer = data_ + used_ + kGap;
      used_ += rounded(bytes) + kGap;
    } else {
      buffer = free_ones.back();
      free_ones.pop_back();
    }
    std::memset(buffer - kGap, kUntouched, kGap);
    std::memset(buffer + bytes, kUntouched, rounded(bytes) - bytes + kGap);
    return buffer;
  }
  void give_back(void* buffer, size_t bytes) {
    free_[rounded(bytes)].push_back(static_cast<char*>(buffer));
  }
  bool holds(const void* address) const {
    return address >= data_ && address < data_ + used_ + kGap && data_ != nullptr;
  }
  bool gap_is_damaged(const Allocation& a) const {
    static const std::vector<unsigned char> gap(kAlignment + kGap, kUntouched);
    const size_t behind = rounded(a.bytes) - a.bytes + kGap;
    return std::memcmp(a.begin - kGap, gap.data(), kGap) != 0 ||
           std::memcmp(a.begin + a.bytes, gap.data(), behind) != 0;
  }

 private:
  static constexpr size_t kBytes = size_t{64} << 30;  // of addresses: pages come when touched
  static constexpr size_t kGap = kAlignment;
  static constexpr unsigned char kUntouched = 0xA5;

  static size_t rounded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

  void reserve() {
    void* pages = mmap(nullptr,
                       kBytes,
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1,
                       0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<char*>(pages);
  }

  char* data_ = nullptr;
  size_t used_ = 0;
  std::map<size_t, std::vector<char*>> free_;  // by rounded size
};

#endif

struct Registry {
  Memory memory;
  std::map<const unsigned char*, Allocation> allocations;
  const Allocation* found_last = nullptr;
  uint64_t next_id = 1;
};

Registry& registry() {
  static Registry* const everything = new Registry;  // outlives the buffers of static objects
  return *everything;
}

}  // namespace

void* allocate(size_t bytes, bool is_shared) {
  Registry& r = registry();
  void* buffer = r.memory.take(bytes);
  std::memset(buffer, kNan, bytes);
  const auto* begin = static_cast<const unsigned char*>(buffer);
  r.allocations[begin] = {begin, bytes, is_shared, r.next_id++};
  return buffer;
}

void release(void* buffer) {
  if (buffer == nullptr) return;
  Registry& r = registry();
  const auto it = r.allocations.find(static_cast<const unsigned char*>(buffer));
  std::memset(buffer, kNan, it->second.bytes);
  r.memory.give_back(buffer, it->second.bytes);
  r.found_last = nullptr;
  r.allocations.erase(it);
}

const Allocation* find_allocation(const void* address) {
  Registry& r = registry();
  const auto* a = static_cast<const unsigned char*>(address);
  const auto holds = [&](const Allocation& x) { return a >= x.begin && a < x.begin + x.bytes; };
  if (r.found_last != nullptr && holds(*r.found_last)) return r.found_last;
  const auto after = r.allocations.upper_bound(a);
  if (after == r.allocations.begin()) return nullptr;
  const Allocation& candidate = std::prev(after)->second;
  if (!holds(candidate)) return nullptr;
  r.found_last = &candidate;
  return r.found_last;
}

bool is_device_address(const void* address) {
  return registry().memory.holds(address);
}

const Allocation* find_damaged_gap() {
  for (const auto& [begin, allocation] : registry().allocations) {
    if (registry().memory.gap_is_damaged(allocation)) return &allocation;
  }
  return nullptr;
}

}  // namespace prescript::emulator
