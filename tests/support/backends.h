#pragma once
// The backends that a test program is about.

#include <memory>
#include <ostream>
#include <vector>

#include "ops/ops.h"

namespace prescript {

struct Backend {
  const char* name;  // of the test's parameter
  std::unique_ptr<Ops> (*make)();
  DType dtype;
};

/// The reference, then the program's own in float32 and in bfloat16: the cpu backend
/// (cpu_backends.cc), the cuda backend on the emulator (emulator/emulated_backends.cc) or on a card
/// (cuda_backends.cc).
const std::vector<Backend>& backends();

/// The same, and what has other kernels for attention alone.
const std::vector<Backend>& attention_backends();

inline std::ostream& operator<<(std::ostream& out, const Backend& backend) {
  return out << backend.name;
}

}  // namespace prescript
