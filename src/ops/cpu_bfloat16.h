#pragma once
// bfloat16 as the cpu backend stores it: the upper half of a float32.

#include <bit>
#include <cstdint>

#include <c10/util/BFloat16.h>

namespace prescript::cpu {

inline float widened(uint16_t x) {
  return c10::detail::f32_from_bits(x);
}
inline float widened(float x) {
  return x;
}

/// The nearest bfloat16, of two the even one.
inline uint16_t rounded(float x) {
  return c10::detail::round_to_nearest_even(x);
}

inline void store(float x, float& y) {
  y = x;
}
inline void store(float x, uint16_t& y) {
  y = rounded(x);
}

}  // namespace prescript::cpu
