#pragma once
// Our views as LibTorch tensors.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include "base/tensor.h"

namespace prescript::cpu {

inline at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat64:
      return at::kDouble;
  }
  throw ContractError("unknown dtype");
}

/// [rows, cols] over the same memory.
inline at::Tensor wrap(const Tensor& x) {
  return at::from_blob(
      x.data, {x.rows, x.cols}, {x.stride, 1}, at::TensorOptions().dtype(scalar_type(x.dtype)));
}

/// [rows, cols / size, size] over the same memory.
inline at::Tensor wrap_heads(const Tensor& x, int64_t size) {
  return at::from_blob(x.data,
                       {x.rows, x.cols / size, size},
                       {x.stride, size, 1},
                       at::TensorOptions().dtype(scalar_type(x.dtype)));
}

}  // namespace prescript::cpu
