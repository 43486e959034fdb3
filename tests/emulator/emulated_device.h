#pragma once
// A card on the emulator: its memory is the host's, its products are plain loops.

#include <memory>

#include "ops/cuda_device.h"

namespace prescript::emulator {

/// By default as an H100.
std::unique_ptr<cuda::Device> make_emulated_device(
    cuda::Device::Products products = cuda::Device::Products::kOfWarpgroups);

/// The cuda backend on the emulator.
std::unique_ptr<Ops> make_emulated_cuda_ops(
    cuda::Device::Products products = cuda::Device::Products::kOfWarpgroups);

}  // namespace prescript::emulator
