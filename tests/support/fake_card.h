#pragma once
// The cpu backend as if it computed in a memory of its own.

#include <cstdint>
#include <string>

#include "support/forwarding_ops.h"

namespace prescript {

class FakeCard final : public ForwardingOps {
 public:
  FakeCard() : ForwardingOps(make_cpu_ops(1)) {}

  std::optional<DeviceMemory> device_memory() const override {
    return DeviceMemory{.total = 80'000'000'000, .free = 64'000'000'000};
  }

  Buffer allocate(size_t bytes) override {
    if (bytes > largest_block) throw DeviceError("no room for " + std::to_string(bytes));
    return ForwardingOps::allocate(bytes);
  }

  size_t largest_block = SIZE_MAX;  // a request of more fails
};

}  // namespace prescript
