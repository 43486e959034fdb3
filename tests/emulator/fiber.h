#pragma once
// A thread of execution with a stack of its own, switched to by hand: what a CUDA thread is here.

#include <cstddef>

namespace prescript::emulator {

/// Memory for a fiber's stack; an overflow hits a page that faults.
class Stack {
 public:
  explicit Stack(size_t bytes);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

/// Where a fiber, or the host's own stack, goes on when it is switched to.
struct Context {
  void* stack_pointer = nullptr;
  const void* stack = nullptr;
  size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

/// Makes `context` begin `entry` on `stack`. `entry` never returns, and first calls arrive().
void prepare(Context& context, const Stack& stack, void (*entry)());

/// Goes on in `to`; returns when something switches to `from`, never if `from_ends`.
void switch_context(Context& from, Context& to, bool from_ends);

/// Completes the switch by which a fiber began.
void arrive();

}  // namespace prescript::emulator
