#include "emulator/fiber.h"

#include <new>

#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#ifndef __x86_64__
#error "the emulator's switch of stacks is written for x86-64 only"
#endif

// Saves what the System V ABI lets a callee keep, and changes stacks. ucontext would make a system
// call each time: six times slower.
extern "C" void prescript_switch_stack(void** save_stack_pointer, void* load_stack_pointer);
asm(R"(
.text
.globl prescript_switch_stack
.type prescript_switch_stack,@function
prescript_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size prescript_switch_stack, .-prescript_switch_stack
)");

namespace prescript::emulator {
namespace {

constexpr size_t kGuardPage = 4096;
constexpr int kSavedRegisters = 6;

// Who switched last, for the one who arrives.
thread_local Context* departed = nullptr;

void finish_switch([[maybe_unused]] void* fake_stack) {
#ifdef __SANITIZE_ADDRESS__
  const void* stack = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &stack, &bytes);
  if (departed->stack == nullptr) {  // the host's own stack, whose bounds only the sanitizer knows
    departed->stack = stack;
    departed->stack_bytes = bytes;
  }
#endif
}

}  // namespace

Stack::Stack(size_t bytes) : bytes_(bytes) {
  void* pages = mmap(nullptr,
                     bytes + kGuardPage,
                     PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                     -1,
                     0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  mprotect(pages, kGuardPage, PROT_NONE);
  data_ = static_cast<char*>(pages) + kGuardPage;
}

Stack::~Stack() {
  munmap(data_ - kGuardPage, bytes_ + kGuardPage);
}

void prepare(Context& context, const Stack& stack, void (*entry)()) {
#ifdef __SANITIZE_ADDRESS__
  // The frames of the fiber that was here before may have been left, not returned from.
  ASAN_UNPOISON_MEMORY_REGION(stack.data(), stack.bytes());
#endif
  void** top = reinterpret_cast<void**>(stack.data() + stack.bytes()) - 1;
  *top = nullptr;  // the return address of `entry`: the stack pointer is 8 modulo 16 at its start
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  context = {top, stack.data(), stack.bytes(), nullptr};
}

void switch_context(Context& from, Context& to, [[maybe_unused]] bool from_ends) {
  departed = &from;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.fake_stack, to.stack, to.stack_bytes);
#endif
  prescript_switch_stack(&from.stack_pointer, to.stack_pointer);
  finish_switch(from.fake_stack);
}

void arrive() {
  finish_switch(nullptr);
}

}  // namespace prescript::emulator
