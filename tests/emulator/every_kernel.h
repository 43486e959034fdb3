#pragma once
// Small instances of everything that the kernels do, for tests of how they run: what they compute
// is tested in tests/ops and tests/cuda.

#include <vector>

#include "ops/cuda_device.h"
#include "support/matrix.h"

namespace prescript::emulator {

/// Calls every operation of the cuda backend on the emulator whose kernels depend on `dtype`, and
/// returns the results. With `guard` columns beside each tensor rows start anywhere; with none they
/// are aligned, and other kernels run; those of warpgroups only where `products` has them.
std::vector<Matrix> run_every_kernel(
    DType dtype,
    int64_t guard,
    cuda::Device::Products products = cuda::Device::Products::kOfWarpgroups);

}  // namespace prescript::emulator
