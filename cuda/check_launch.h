#pragma once
// What a launch may meet.

#include <cstddef>

namespace prescript::cuda {

/// Lets `kernel` take more dynamic shared memory than the default of 48 KB. Throws DeviceError.
void allow_shared(const void* kernel, size_t bytes, const char* name);

/// Throws DeviceError with the kernel's name where the launch before was refused.
void check_launch(const char* name);

}  // namespace prescript::cuda
