#include "model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prescript {
namespace {

/// theta^(2i/size).
float power(double theta, int64_t i, int64_t size) {
  const auto exponent = static_cast<float>(2 * i) / static_cast<float>(size);
  return std::pow(static_cast<float>(theta), exponent);
}

template <typename Frequency>
Rope scaled(double theta, int64_t size, const char* scaling, const Frequency& frequency) {
  Rope rope{.theta = theta, .scaled_frequencies = {}, .scaling = scaling};
  for (int64_t i = 0; i < size / 2; ++i) rope.scaled_frequencies.push_back(frequency(i));
  return rope;
}

}  // namespace

std::vector<float> frequencies_of(const Rope& rope, int64_t size) {
  if (!rope.scaled_frequencies.empty()) return rope.scaled_frequencies;
  return scaled(rope.theta, size, "", [&](int64_t i) { return 1.0F / power(rope.theta, i, size); })
      .scaled_frequencies;
}

Rope linear_rope(double theta, int64_t size, double factor) {
  return scaled(theta, size, "linear", [&](int64_t i) {
    return 1.0F / power(theta, i, size) / static_cast<float>(factor);
  });
}

Rope llama3_rope(double theta, int64_t size, const Llama3Scaling& scaling) {
  const auto factor = static_cast<float>(scaling.factor);
  const auto positions = static_cast<float>(scaling.original_positions);
  const auto low = static_cast<float>(scaling.low_frequency_factor);
  const auto width =
      static_cast<float>(scaling.high_frequency_factor - scaling.low_frequency_factor);
  const auto longest =
      static_cast<float>(scaling.original_positions / scaling.low_frequency_factor);
  const auto shortest =
      static_cast<float>(scaling.original_positions / scaling.high_frequency_factor);
  return scaled(theta, size, "llama3", [&](int64_t i) {
    const float frequency = 1.0F / power(theta, i, size);
    const float wavelength = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (wavelength > longest) return frequency / factor;
    if (wavelength < shortest) return frequency;
    const float smooth = (positions / wavelength - low) / width;
    return (1 - smooth) * frequency / factor + smooth * frequency;
  });
}

Rope yarn_rope(double theta, int64_t size, const YarnScaling& scaling) {
  const auto pairs_of = [&](double turns) {
    return static_cast<double>(size) *
           std::log(scaling.original_positions / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  double low = pairs_of(scaling.fast_turns);
  double high = pairs_of(scaling.slow_turns);
  if (scaling.rounds_borders) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(size - 1));
  if (low == high) high += 0.001;
  Rope rope = scaled(theta, size, "yarn", [&](int64_t i) {
    const float divisor = power(theta, i, size);
    const float ramp =
        (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
    const float left = 1 - std::clamp(ramp, 0.0F, 1.0F);
    return 1.0F / (static_cast<float>(scaling.factor) * divisor) * (1 - left) +
           1.0F / divisor * left;
  });
  rope.attention_factor = scaling.factor <= 1 ? 1 : 0.1 * std::log(scaling.factor) + 1;
  return rope;
}

Rope divided_rope(double theta, int64_t size, const std::vector<float>& divisors) {
  return scaled(theta, size, "longrope", [&](int64_t i) {
    return 1.0F / (divisors[static_cast<size_t>(i)] * power(theta, i, size));
  });
}

}  // namespace prescript
