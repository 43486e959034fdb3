#include "emulator/emulated_device.h"
#include "support/backends.h"
#include "support/kernel_device.h"

namespace prescript {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = {
      {"Reference", make_reference_ops, DType::kFloat64},
      {"CudaFloat32", emulator::make_emulated_cuda_ops, DType::kFloat32},
      {"CudaBFloat16", emulator::make_emulated_cuda_ops, DType::kBFloat16},
  };
  return all;
}

std::unique_ptr<cuda::Device> open_kernel_device() {
  return emulator::make_emulated_device();
}

}  // namespace prescript
