#include "emulator/emulated_device.h"
#include "support/backends.h"
#include "support/kernel_device.h"

namespace prescript {

namespace {

std::unique_ptr<Ops> make_ops() {
  return emulator::make_emulated_cuda_ops();
}
std::unique_ptr<Ops> make_ops_without_warpgroups() {
  return emulator::make_emulated_cuda_ops(cuda::Device::Products::kOfWarps);
}

}  // namespace

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = {
      {"Reference", make_reference_ops, DType::kFloat64},
      {"CudaFloat32", make_ops, DType::kFloat32},
      {"CudaBFloat16", make_ops, DType::kBFloat16},
  };
  return all;
}

const std::vector<Backend>& attention_backends() {
  static const std::vector<Backend> all = [] {
    std::vector<Backend> list = backends();
    list.push_back(
        {"CudaBFloat16WithoutWarpgroups", make_ops_without_warpgroups, DType::kBFloat16});
    return list;
  }();
  return all;
}

std::unique_ptr<cuda::Device> open_kernel_device() {
  return emulator::make_emulated_device();
}

}  // namespace prescript
