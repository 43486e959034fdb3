// check_launch.cu: what the CUDA runtime says of a launch.

#include <string>

#include <cuda_runtime.h>

#include "base/error.h"
#include "cuda/check_launch.h"

namespace prescript::cuda {
namespace {

void check(cudaError_t error, const std::string& expression) {
  if (error == cudaSuccess) return;
  throw DeviceError(expression + ": " + cudaGetErrorString(error));
}

}  // namespace

void allow_shared(const void* kernel, size_t bytes, const char* name) {
  if (bytes == 0) return;  // without asking, 48 KB together with the kernel's own arrays
  check(cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        std::string(name) + ": " + std::to_string(bytes) + " bytes of shared memory");
}

void check_launch(const char* name) {
  check(cudaGetLastError(), std::string(name) + "<<<...>>>");
}

}  // namespace prescript::cuda
