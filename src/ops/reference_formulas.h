#pragma once
// What the operations of the reference backend are made of.

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "ops/ops.h"

namespace prescript::reference {

inline double* row(const Tensor& x, int64_t index) {
  return x.row<double>(index);
}

inline double dot(const double* a, const double* b, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

inline void add_scaled(double scale, const double* x, double* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] += scale * x[i];
}

inline double capped(double x, double cap) {
  return cap == 0 ? x : cap * std::tanh(x / cap);
}

/// The derivative of `capped` where it is y.
inline double slope_at(double y, double cap) {
  return cap == 0 ? 1 : 1 - y / cap * (y / cap);
}

/// f(x) and f'(x).
struct ValueAndSlope {
  double value;
  double slope;
};

inline ValueAndSlope activation(Activation f, double x) {
  switch (f) {
    case Activation::kSilu: {
      const double s = 1 / (1 + std::exp(-x));
      return {x * s, s + x * s * (1 - s)};
    }
    case Activation::kGelu: {
      const double below = 0.5 * std::erfc(-x / std::numbers::sqrt2);
      const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
      return {x * below, below + x * density};
    }
    case Activation::kGeluTanh: {
      const double root = std::sqrt(2 / std::numbers::pi);
      const double t = std::tanh(root * (x + 0.044715 * x * x * x));
      const double du = root * (1 + 3 * 0.044715 * x * x);
      return {0.5 * x * (1 + t), 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du};
    }
  }
  throw ContractError("unknown activation");
}

}  // namespace prescript::reference
