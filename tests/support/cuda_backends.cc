#include "support/backends.h"
#include "support/kernel_device.h"

namespace prescript {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = {
      {"Reference", make_reference_ops, DType::kFloat64},
      {"CudaFloat32", make_cuda_ops, DType::kFloat32},
      {"CudaBFloat16", make_cuda_ops, DType::kBFloat16},
  };
  return all;
}

const std::vector<Backend>& attention_backends() {
  return backends();
}

std::unique_ptr<cuda::Device> open_kernel_device() {
  return cuda::open_device();
}

}  // namespace prescript
