#pragma once
// The emulated device's memory: what lies between two buffers is known to lie in none.
//
// Like the rest of the emulator it is for one thread of the host at a time.

#include <cstddef>
#include <cstdint>

namespace prescript::emulator {

struct Allocation {
  const unsigned char* begin = nullptr;
  size_t bytes = 0;
  bool is_shared = false;  // a block's shared memory
  uint64_t id = 0;         // never the same for two allocations
};

/// A buffer whose address is a multiple of 1024, full of NaN (bytes of 0xFF). Throws
/// std::bad_alloc.
void* allocate(size_t bytes, bool is_shared = false);

/// Fills the buffer with NaN and gives it back. Null is allowed.
void release(void* buffer);

/// The buffer that holds `address`, or null.
const Allocation* find_allocation(const void* address);

/// Whether `address` lies among the buffers, in one or between two. Under AddressSanitizer, which
/// looks after that itself, always false.
bool is_device_address(const void* address);

/// The buffer beside which something was written, or null. Under AddressSanitizer always null.
const Allocation* find_damaged_gap();

}  // namespace prescript::emulator
