#pragma once
// The trainable rows of a run, on the host.

#include <cstdint>
#include <vector>

namespace prescript {

/// P rows of width D in float32, row-major: what training learns and an adapter holds.
struct SoftPrompt {
  int64_t num_virtual_tokens = 0;  // P
  int64_t hidden_size = 0;         // D
  std::vector<float> values_PD;
};

}  // namespace prescript
