#include "train/optimizer.h"

#include <cmath>

namespace prescript {

double norm_of(std::span<const float> values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

void clip_to_norm(std::span<float> gradient, double norm, double max_norm) {
  if (max_norm == 0 || norm <= max_norm) return;
  const double scale = max_norm / norm;
  for (float& value : gradient) value = static_cast<float>(value * scale);
}

}  // namespace prescript
