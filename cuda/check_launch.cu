// check_launch.cu: what the CUDA runtime says of a launch, and of the card that it goes to.

#include <string>

#include <cuda_runtime.h>

#include "base/error.h"
#include "cuda/card_limits.h"
#include "cuda/check_launch.h"

namespace prescript::cuda {
namespace {

void check(cudaError_t error, const std::string& expression) {
  if (error == cudaSuccess) return;
  throw DeviceError(expression + ": " + cudaGetErrorString(error));
}

int64_t attribute(cudaDeviceAttr name) {
  int card = 0;
  int value = 0;
  check(cudaGetDevice(&card), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, name, card), "cudaDeviceGetAttribute");
  return value;
}

}  // namespace

CardLimits card_limits() {
  return {.multiprocessors = attribute(cudaDevAttrMultiProcessorCount),
          .block_shared_bytes = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)};
}

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
