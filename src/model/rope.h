#pragma once
// Rotary position embedding, and how it is stretched to contexts longer than those it was trained
// on.

#include <cstdint>
#include <string>
#include <vector>

namespace prescript {

/// Where a file names no base: so in transformers' configuration classes and in llama.cpp.
inline constexpr double kDefaultRopeTheta = 10000;

/// Element i of a head and element i + size/2 are a pair, turned by position times the pair's
/// frequency. Su et al. 2021.
struct Rope {
  double theta = 0;  // frequencies are theta^(-2i/size)
  /// In place of them, [size/2], where they are scaled.
  std::vector<float> scaled_frequencies = {};
  std::string scaling = "default";  // as transformers calls it
  double attention_factor = 1;      // of cosines and sines

  bool operator==(const Rope&) const = default;
};

// Frequencies as transformers computes them, in float32, where each step rounds: at position 8000
// that rounding turns a pair by up to 5e-4, so it is part of the model.

/// [size/2].
std::vector<float> frequencies_of(const Rope& rope, int64_t size);

/// All divided by `factor`: Chen et al., arXiv 2306.15595.
Rope linear_rope(double theta, int64_t size, double factor);

/// Low frequencies divided, high ones left, between them a blend.
struct Llama3Scaling {
  double factor = 0;
  double low_frequency_factor = 0;
  double high_frequency_factor = 0;
  double original_positions = 0;
};
Rope llama3_rope(double theta, int64_t size, const Llama3Scaling& scaling);

/// Peng et al., arXiv 2309.00071.
struct YarnScaling {
  double factor = 0;
  double original_positions = 0;
  double fast_turns = 32;  // beta_fast: pairs that turn so often in the original context are left
  double slow_turns = 1;   // beta_slow
  bool rounds_borders = true;
};
/// The attention factor is 0.1 · ln factor + 1.
Rope yarn_rope(double theta, int64_t size, const YarnScaling& scaling);

/// Each divided by a factor of its own, [size/2]: LongRoPE (arXiv 2402.13753), and Llama 3 as GGUF
/// stores it.
Rope divided_rope(double theta, int64_t size, const std::vector<float>& divisors);

}  // namespace prescript
