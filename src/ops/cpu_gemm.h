#pragma once
// Products of rows with a frozen weight.

#include <string>
#include <vector>

#include "base/tensor.h"

namespace prescript::cpu {

/// Which way a product reads its weight.
enum class WeightSide {
  kRows,     // y_NO = x_NI · weight_OIᵀ
  kColumns,  // y_NI = x_NO · weight_OI
};

/// The inner loop for one set of vector instructions: a tile of `rows` x `cols` sums, which stay in
/// registers.
struct GemmKernel {
  std::string name;
  bool is_supported = false;  // by this processor
  int64_t rows = 0;
  int64_t cols = 0;
  /// Whether it takes two bfloat16 neighbours at a time; else operands are widened to float32.
  bool takes_pairs = false;
  /// Adds to sums [rows, cols] the products of x [units / 16, rows, 16] and weight [units, cols],
  /// in units of 32 bits.
  void (*add_tile)(const uint32_t* x, const uint32_t* weight, int64_t units, float* sums) = nullptr;
};

/// All kernels, the fastest first.
const std::vector<GemmKernel>& gemm_kernels();

/// The fastest that this processor supports for operands of `dtype`. Throws DeviceError where there
/// is none.
const GemmKernel& gemm_kernel(DType dtype);

/// y = x · weight, or y += it. x and weight are both float32 or both bfloat16, y is of their dtype
/// or float32. Each element is a float32 sum in an order that depends on its length alone: a row's
/// result does not depend on the rows beside it, nor on the number of threads.
void gemm(const GemmKernel& kernel, Tensor x, Tensor weight, WeightSide side, Tensor y, bool add);

}  // namespace prescript::cpu
