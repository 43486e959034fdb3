#pragma once
// The inner loop of products, for every set of vector instructions. A tile of sums stays in
// registers while both operands stream past it, in units of 32 bits: a float32, or two bfloat16
// neighbours where one instruction multiplies and adds both. Source: Goto & van de Geijn, "Anatomy
// of High-Performance Matrix Multiplication", 2008.

#include <cstdint>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace prescript::cpu {

/// Units that are added up in registers before they join the sum in memory. The gradient of a soft
/// prompt is small beside what it is summed from: with 1024 it is off by 3e-5 on SmolLM2, with 256
/// by 1e-5, with 64 by 4e-6.
inline constexpr int64_t kTerms = 128;

/// The inner loop for one set of vector instructions: a tile of `rows` x `cols` sums, which stay in
/// registers.
struct GemmKernel {
  std::string name;
  bool is_supported = false;  // by this processor
  int64_t rows = 0;
  int64_t cols = 0;
  /// Whether it takes two bfloat16 neighbours at a time; else operands are widened to float32.
  bool takes_pairs = false;
  /// sums [rows, cols] = x · weight [units, cols], or += with `add`, in units of 32 bits. x lies in
  /// chunks of `cols` units, [rows, cols] each and `x_stride` units apart: the sums of one product
  /// are an operand of the next as they lie.
  void (*multiply)(const uint32_t* x,
                   int64_t x_stride,
                   const uint32_t* weight,
                   int64_t units,
                   bool add,
                   float* sums) = nullptr;
};

/// All kernels, the fastest first.
const std::vector<GemmKernel>& gemm_kernels();

/// The fastest that this processor supports for operands of `dtype`. Throws DeviceError where there
/// is none.
const GemmKernel& gemm_kernel(DType dtype);

}  // namespace prescript::cpu
