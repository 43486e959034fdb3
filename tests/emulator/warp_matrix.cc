// The warp's matrix instructions, by the fragment tables of the PTX ISA.

#include <array>
#include <bit>
#include <cstring>

#include "emulator/runtime.h"

namespace prescript::emulator {
namespace {

constexpr uint32_t kWholeWarp = 0xFFFFFFFF;

struct LoadArgument {
  const void* row = nullptr;
  uint32_t registers[4] = {};
};

// Element (i, 2j), (i, 2j + 1) of matrix m, or of its transpose, to lane 4i + j.
template <bool kTransposed>
void load_together(uint32_t, void* const* arguments) {
  const auto argument = [&](int lane) -> LoadArgument& {
    return *static_cast<LoadArgument*>(arguments[lane]);
  };
  for (int m = 0; m < 4; ++m) {
    uint16_t matrix[8][8];
    for (int row = 0; row < 8; ++row) std::memcpy(matrix[row], argument(8 * m + row).row, 16);
    for (int lane = 0; lane < 32; ++lane) {
      const int i = lane / 4;
      const int j = 2 * (lane % 4);
      const uint32_t low = kTransposed ? matrix[j][i] : matrix[i][j];
      const uint32_t high = kTransposed ? matrix[j + 1][i] : matrix[i][j + 1];
      argument(lane).registers[m] = high << 16 | low;
    }
  }
}

struct MultiplyArgument {
  float* d = nullptr;
  const uint32_t* a = nullptr;
  uint32_t b0 = 0;
  uint32_t b1 = 0;
};

float element(uint32_t pair, int half) {
  return std::bit_cast<float>(half == 0 ? pair << 16 : pair & 0xFFFF0000);
}

void multiply_together(uint32_t, void* const* arguments) {
  float a[16][16];
  float b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& argument = *static_cast<const MultiplyArgument*>(arguments[lane]);
    const int g = lane / 4;
    const int t = 2 * (lane % 4);
    for (int half = 0; half < 2; ++half) {
      a[g][t + half] = element(argument.a[0], half);
      a[g + 8][t + half] = element(argument.a[1], half);
      a[g][t + 8 + half] = element(argument.a[2], half);
      a[g + 8][t + 8 + half] = element(argument.a[3], half);
      b[t + half][g] = element(argument.b0, half);
      b[t + 8 + half][g] = element(argument.b1, half);
    }
  }
  float sums[16][8] = {};
  for (int i = 0; i < 16; ++i) {
    for (int k = 0; k < 16; ++k) {
      for (int j = 0; j < 8; ++j) sums[i][j] += a[i][k] * b[k][j];
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    float* d = static_cast<const MultiplyArgument*>(arguments[lane])->d;
    const int g = lane / 4;
    const int t = 2 * (lane % 4);
    d[0] += sums[g][t];
    d[1] += sums[g][t + 1];
    d[2] += sums[g + 8][t];
    d[3] += sums[g + 8][t + 1];
  }
}

}  // namespace

void load_matrices(uint32_t* registers, const void* row, bool transposed, Place place) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) fail("ldmatrix: misaligned row");
  if (Observer* observer = current_observer()) {
    observer->on_access(row, 16, false, __builtin_return_address(0));
  }
  LoadArgument argument{row, {}};
  if (transposed) {
    meet_in_warp("ldmatrix.trans", kWholeWarp, &argument, load_together<true>, place);
  } else {
    meet_in_warp("ldmatrix", kWholeWarp, &argument, load_together<false>, place);
  }
  std::memcpy(registers, argument.registers, sizeof argument.registers);
}

void multiply_add(float* d, const uint32_t* a, uint32_t b0, uint32_t b1, Place place) {
  MultiplyArgument argument{d, a, b0, b1};
  meet_in_warp("mma", kWholeWarp, &argument, multiply_together, place);
}

}  // namespace prescript::emulator
