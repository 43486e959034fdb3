#include "ops/cpu_activation.h"

#include "ops/check.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"

namespace prescript::cpu {
namespace {

// Rows below which a second thread is not worth it.
constexpr int64_t kGrainRows = 4;

/// f(x) and f'(x).
struct ValueAndSlope {
  float value;
  float slope;
};

struct Silu {
  PRESCRIPT_AVX2 static inline ValueAndSlope at(float x) {
    const float s = sigmoid(x);
    return {x * s, s * (1 + x * (1 - s))};
  }
};

struct Gelu {
  PRESCRIPT_AVX2 static inline ValueAndSlope at(float x) {
    constexpr float kDensityAtZero = 0.398942280F;  // of the standard normal distribution
    const float below = normal_distribution(x);
    return {x * below, below + x * kDensityAtZero * exponential(-0.5F * x * x)};
  }
};

struct GeluTanh {
  // 0.5·x·(1 + tanh(u)) = x·sigmoid(2u), u = sqrt(2/π)·(x + 0.044715·x³).
  PRESCRIPT_AVX2 static inline ValueAndSlope at(float x) {
    constexpr float kTwice = 1.59576912F;  // 2·sqrt(2/π)
    constexpr float kCube = 0.044715F;
    const float s = sigmoid(kTwice * x * (1 + kCube * x * x));
    return {x * s, s * (1 + x * (1 - s) * kTwice * (1 + 3 * kCube * x * x))};
  }
};

template <typename F, typename T>
PRESCRIPT_WIDEST void activate_row(const T* x, bool is_gated, int64_t size, T* h) {
  if (!is_gated) {
    for (int64_t i = 0; i < size; ++i) store(F::at(widened(x[i])).value, h[i]);
    return;
  }
  for (int64_t i = 0; i < size; ++i) {
    store(F::at(widened(x[i])).value * widened(x[size + i]), h[i]);
  }
}

template <typename F, typename T>
PRESCRIPT_WIDEST void differentiate_row(
    const T* x, const T* dh, bool is_gated, int64_t size, T* dx) {
  if (!is_gated) {
#pragma GCC ivdep  // the output may be the input: element by element, never shifted
    for (int64_t i = 0; i < size; ++i) {
      store(widened(dh[i]) * F::at(widened(x[i])).slope, dx[i]);
    }
    return;
  }
#pragma GCC ivdep
  for (int64_t i = 0; i < size; ++i) {
    const float d = widened(dh[i]);
    const float up = widened(x[size + i]);
    const ValueAndSlope gate = F::at(widened(x[i]));
    store(d * up * gate.slope, dx[i]);
    store(d * gate.value, dx[size + i]);
  }
}

/// Calls `body` with an F and a T.
template <typename Body>
void with_types(Activation f, DType dtype, const Body& body) {
  const auto with_element = [&]<typename F>(F) {
    if (dtype == DType::kFloat32) return body(F{}, float{});
    body(F{}, uint16_t{});
  };
  switch (f) {
    case Activation::kSilu:
      return with_element(Silu{});
    case Activation::kGelu:
      return with_element(Gelu{});
    case Activation::kGeluTanh:
      return with_element(GeluTanh{});
  }
}

}  // namespace

void activate(Activation f, Tensor x, Tensor h_NF) {
  ops_check::activate(x, h_NF);
  const bool is_gated = x.cols > h_NF.cols;
  with_types(f, x.dtype, [&]<typename F, typename T>(F, T) {
    parallel_for(0, x.rows, kGrainRows, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        activate_row<F>(x.row<T>(n), is_gated, h_NF.cols, h_NF.row<T>(n));
      }
    });
  });
}

void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) {
  ops_check::activate_input_gradient(x, dh_NF, dx);
  const bool is_gated = x.cols > dh_NF.cols;
  with_types(f, x.dtype, [&]<typename F, typename T>(F, T) {
    parallel_for(0, x.rows, kGrainRows, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        differentiate_row<F>(x.row<T>(n), dh_NF.row<T>(n), is_gated, dh_NF.cols, dx.row<T>(n));
      }
    });
  });
}

}  // namespace prescript::cpu
