// What g++ -fsanitize=thread has code call before each access to memory. The sanitizer's own
// library is not linked: these tell the emulator's observer.

#include <cstddef>
#include <cstdint>

#include "emulator/runtime.h"
#include "emulator/warpgroup.h"

namespace {

void tell(const void* address, size_t bytes, bool is_write, const void* code) {
  using prescript::emulator::current_observer;
  if (prescript::emulator::running == nullptr || current_observer() == nullptr) return;
  if (is_write) prescript::emulator::note_written(address, bytes);
  current_observer()->on_access(address, bytes, is_write, code);
}

}  // namespace

// The compiler's names, and macros since the address of the caller must be taken in each.
// NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
#define ACCESS(name, bytes, is_write)                            \
  void __tsan_##name(void* address) {                            \
    tell(address, bytes, is_write, __builtin_return_address(0)); \
  }
#define ACCESSES(bytes)                       \
  ACCESS(read##bytes, bytes, false)           \
  ACCESS(write##bytes, bytes, true)           \
  ACCESS(unaligned_read##bytes, bytes, false) \
  ACCESS(unaligned_write##bytes, bytes, true) \
  ACCESS(volatile_read##bytes, bytes, false)  \
  ACCESS(volatile_write##bytes, bytes, true)

extern "C" {

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void* address, size_t bytes) {
  tell(address, bytes, false, __builtin_return_address(0));
}
void __tsan_write_range(void* address, size_t bytes) {
  tell(address, bytes, true, __builtin_return_address(0));
}

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}
void __tsan_vptr_read(void*) {}

// Of the guards of static variables in host code.
unsigned char __tsan_atomic8_load(const volatile unsigned char* address, int) {
  return *address;
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)
