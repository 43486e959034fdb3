#pragma once
// Activations as operands of a tile (ops/cpu_kernels).

#include "ops/cpu_kernels.h"

namespace prescript::cpu {

/// Elements of a row in one unit of 32 bits.
inline int64_t elements_of_unit(const GemmKernel& kernel) {
  return kernel.takes_pairs ? 2 : 1;
}

inline int64_t units_of(const GemmKernel& kernel, int64_t elements) {
  return (elements + elements_of_unit(kernel) - 1) / elements_of_unit(kernel);
}

/// Units [begin, begin + num_units) of the rows [row, row + num_rows) of x.
struct Operand {
  Tensor x;  // float32 or bfloat16
  int64_t row = 0;
  int64_t num_rows = 0;
  int64_t begin = 0;
  int64_t num_units = 0;
};

/// As [tile of rows, chunk of units, kernel rows, kernel cols], zeros behind the ends.
void pack_left(const GemmKernel& kernel, const Operand& operand, uint32_t* packed);

/// As [panel of rows, unit, kernel cols], zeros behind the ends.
void pack_right(const GemmKernel& kernel, const Operand& operand, uint32_t* packed);

}  // namespace prescript::cpu
