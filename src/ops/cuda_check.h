#pragma once
// What CUDA's libraries say of a call, as exceptions. For sources that have a CUDA toolkit.

#include <string>

#include <cublasLt.h>
#include <cuda_runtime.h>

#include "base/error.h"

namespace prescript::cuda {

inline void check(cudaError_t status, const char* expression) {
  if (status == cudaSuccess) return;
  const std::string what = std::string(expression) + ": " + cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation) {
    throw DeviceError(what + "; take a smaller training.micro_batch_tokens or another card");
  }
  throw DeviceError(what);
}

inline void check(cublasStatus_t status, const char* expression) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string(expression) + ": " + cublasLtGetStatusString(status));
}

}  // namespace prescript::cuda

/// Throws DeviceError with the expression that failed.
#define CUDA_CHECK(expression) ::prescript::cuda::check((expression), #expression)
