#pragma once
// The card that kernels are tested on by themselves.

#include <memory>

#include "ops/cuda_device.h"

namespace prescript {

/// The emulator (emulator/emulated_backends.cc), or the first card (support/cuda_backends.cc).
std::unique_ptr<cuda::Device> open_kernel_device();

}  // namespace prescript
