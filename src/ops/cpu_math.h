#pragma once
// Functions for loops that the compiler turns into vector instructions.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

/// A function that others take into their loops.
#define PRESCRIPT_AVX2 __attribute__((target("avx2,fma")))

/// A function of loops, compiled for vectors of 512 bits and of 256: the loader takes what the
/// processor has. A default has to be named: it serves one with AVX2 but without all of x86-64-v3.
/// Clang makes no clones of templates.
#ifdef __clang__
#define PRESCRIPT_WIDEST PRESCRIPT_AVX2
#else
#define PRESCRIPT_WIDEST \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif

namespace prescript::cpu {

/// Lanes of loops over many elements: a few vector registers, and so many partial sums.
inline constexpr int64_t kLanes = 16;

/// Their sum; they are lost.
PRESCRIPT_AVX2 inline float sum_of_lanes(float (&lanes)[kLanes]) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  return lanes[0];
}

/// Maxima in kLanes lanes, as vectors: the compiler leaves a loop over lanes that takes them
/// scalar.
class LaneMaxima {
 public:
  explicit LaneMaxima(float least) : low_(Vector{} + least), high_(low_) {}

  /// Of x [kLanes].
  void add(const float* x) {
    add(x, low_);
    add(x + kLanes / 2, high_);
  }

  float largest() const {
    const Vector both = high_ > low_ ? high_ : low_;
    float lanes[kLanes / 2];
    std::memcpy(lanes, &both, sizeof lanes);
    return *std::max_element(lanes, lanes + kLanes / 2);
  }

 private:
  using Vector __attribute__((vector_size(kLanes / 2 * sizeof(float)))) = float;

  static void add(const float* x, Vector& lanes) {
    Vector other;
    std::memcpy(&other, x, sizeof other);
    lanes = other > lanes ? other : lanes;
  }

  Vector low_;
  Vector high_;
};

/// exp(x) for x <= 88, to 2 units in the last place; 0 below -87. Source: Cephes, expf.
PRESCRIPT_AVX2 inline float exponential(float x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
  const float clamped = x < -87.0F ? -87.0F : x;
  const float shifted = clamped * 1.44269504F + kMagic;
  const float n = shifted - kMagic;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127U) << 23);
  return x < -87.0F ? 0.0F : p * power;
}

/// 2 to the power of x <= 127, to 1 unit in the last place; 0 below -126.5. Polynomial: minimax of
/// the relative error on [-1/2, 1/2], 2e-9.
PRESCRIPT_AVX2 inline float power_of_two(float x) {
  constexpr float kMagic = 12582912.0F;  // as above
  const float clamped = x < -127.0F ? -127.0F : x;
  const float shifted = clamped + kMagic;
  const float r = clamped - (shifted - kMagic);
  float p = 1.534581190e-4F;
  p = p * r + 1.339993122e-3F;
  p = p * r + 9.618488958e-3F;
  p = p * r + 5.550328777e-2F;
  p = p * r + 2.402264689e-1F;
  p = p * r + 6.931472057e-1F;
  p = p * r + 1.0F;
  return p * std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127U) << 23);
}

/// 1 / (1 + exp(-x)).
PRESCRIPT_AVX2 inline float sigmoid(float x) {
  const float e = exponential(x < 0 ? x : -x);
  return (x < 0 ? e : 1.0F) / (1.0F + e);
}

/// Φ(x), the standard normal distribution, to 2e-7 of itself below 0. Source: erfc by Chebyshev
/// fitting, Press et al., Numerical Recipes, section 6.2.
PRESCRIPT_AVX2 inline float normal_distribution(float x) {
  const float z = (x < 0 ? -x : x) * 0.707106781F;
  const float t = 1.0F / (1.0F + 0.5F * z);
  float p = 0.17087277F;
  p = p * t - 0.82215223F;
  p = p * t + 1.48851587F;
  p = p * t - 1.13520398F;
  p = p * t + 0.27886807F;
  p = p * t - 0.18628806F;
  p = p * t + 0.09678418F;
  p = p * t + 0.37409196F;
  p = p * t + 1.00002368F;
  p = p * t - 1.26551223F;
  const float half_erfc = 0.5F * t * exponential(p - z * z);
  return x < 0 ? half_erfc : 1.0F - half_erfc;
}

/// cap · tanh(x / cap). Near 0 a polynomial: Cephes, tanhf.
PRESCRIPT_AVX2 inline float capped(float x, float cap, float inverse_cap) {
  const float y = x * inverse_cap;
  const float z = y * y;
  float p = -5.70498872745e-3F;
  p = p * z + 2.06390887954e-2F;
  p = p * z - 5.37397155531e-2F;
  p = p * z + 1.33314422036e-1F;
  p = p * z - 3.33332819422e-1F;
  const float near = p * z * y + y;
  const float size = y < 0 ? -y : y;
  const float beyond = 1.0F - 2.0F / (exponential(size < 20.0F ? 2.0F * size : 40.0F) + 1.0F);
  const float far = y < 0 ? -beyond : beyond;
  return cap * (size < 0.625F ? near : far);
}

}  // namespace prescript::cpu
