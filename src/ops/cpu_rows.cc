#include "ops/cpu_rows.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include <c10/util/BFloat16.h>

#include "ops/check.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_weight.h"

namespace prescript::cpu {
namespace {

// Rows below which a loop is not worth a second thread.
constexpr int64_t kGrainRows = 16;

/// Calls `body` with a null pointer of the element type of `dtype`, one that activations have.
template <typename Body>
void with_element_type(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kFloat32:
      return body(static_cast<float*>(nullptr));
    case DType::kBFloat16:
      return body(static_cast<c10::BFloat16*>(nullptr));
    case DType::kFloat64:
      break;
  }
  throw ContractError("cpu backend: fp64");
}

/// The same, of any dtype: K/V gradients are float64.
template <typename Body>
void with_any_element_type(DType dtype, const Body& body) {
  if (dtype == DType::kFloat64) return body(static_cast<double*>(nullptr));
  with_element_type(dtype, body);
}

/// What an operation on elements of these types computes in.
template <typename X, typename Y = X>
using Wide =
    std::conditional_t<std::is_same_v<X, double> && std::is_same_v<Y, double>, double, float>;

template <typename Body>
void for_rows(int64_t num_rows, const Body& body) {
  parallel_for(0, num_rows, kGrainRows, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) body(n);
  });
}

/// Calls `body(row, column, group)` for the groups of `size` columns of every row.
template <typename Body>
void for_groups(const Tensor& x, int64_t size, const Body& body) {
  const int64_t groups = x.cols / size;
  for_rows(x.rows, [&](int64_t n) {
    for (int64_t g = 0; g < groups; ++g) body(n, g * size, n * groups + g);
  });
}

/// Σ term(i) over [0, size), in a fixed order: kLanes partial sums, with as much less rounding than
/// one.
template <typename Term>
PRESCRIPT_AVX2 inline float sum(int64_t size, const Term& term) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < size; ++i) lanes[i % kLanes] += term(i);
  return sum_of_lanes(lanes);
}

template <typename X, typename Y>
PRESCRIPT_WIDEST void convert(const X* x, Y* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = static_cast<Y>(static_cast<Wide<X, Y>>(x[i]));
}

template <typename X, typename Y>
PRESCRIPT_WIDEST void accumulate(const X* x, Y* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    y[i] = static_cast<Y>(static_cast<float>(y[i]) + static_cast<float>(x[i]));
  }
}

float reciprocal_root(float squares, int64_t size, double epsilon) {
  const auto mean = static_cast<double>(squares) / static_cast<double>(size);
  return static_cast<float>(1 / std::sqrt(mean + epsilon));
}

/// Returns the reciprocal of the root of the mean square.
template <typename X>
PRESCRIPT_WIDEST float rms_norm_row(
    const X* x, const float* w, int64_t D, double epsilon, bool add, X* y) {
  const float squares =
      sum(D, [x](int64_t d) { return static_cast<float>(x[d]) * static_cast<float>(x[d]); });
  const float rstd = reciprocal_root(squares, D, epsilon);
  if (add) {
    for (int64_t d = 0; d < D; ++d) {
      const float normed = static_cast<float>(x[d]) * rstd * w[d];
      y[d] = static_cast<X>(static_cast<float>(y[d]) + normed);
    }
  } else {
    for (int64_t d = 0; d < D; ++d) {
      y[d] = static_cast<X>(static_cast<float>(x[d]) * rstd * w[d]);
    }
  }
  return rstd;
}

template <typename X, typename DY>
PRESCRIPT_WIDEST void differentiate_rms_norm_row(
    const X* x, const float* w, float rstd, const DY* dy, int64_t D, X* dx) {
  const float projection = sum(
      D, [=](int64_t d) { return w[d] * static_cast<float>(dy[d]) * static_cast<float>(x[d]); });
  const float factor = rstd * rstd * rstd / static_cast<float>(D) * projection;
  for (int64_t d = 0; d < D; ++d) {
    const float branch = rstd * w[d] * static_cast<float>(dy[d]);
    dx[d] = static_cast<X>(static_cast<float>(dx[d]) + branch - static_cast<float>(x[d]) * factor);
  }
}

struct MeanAndScale {
  float mean;
  float rstd;  // reciprocal of the standard deviation
};

template <typename X>
PRESCRIPT_WIDEST MeanAndScale
layer_norm_row(const X* x, const float* w, const float* b, int64_t D, double epsilon, X* y) {
  const float mean =
      sum(D, [x](int64_t d) { return static_cast<float>(x[d]); }) / static_cast<float>(D);
  const float squares = sum(D, [x, mean](int64_t d) {
    const float difference = static_cast<float>(x[d]) - mean;
    return difference * difference;
  });
  const float rstd = reciprocal_root(squares, D, epsilon);
  for (int64_t d = 0; d < D; ++d) {
    y[d] = static_cast<X>((static_cast<float>(x[d]) - mean) * rstd * w[d] + b[d]);
  }
  return {mean, rstd};
}

template <typename X, typename DY>
PRESCRIPT_WIDEST void differentiate_layer_norm_row(
    const X* x, const float* w, MeanAndScale at, const DY* dy, int64_t D, X* dx) {
  const auto z = [=](int64_t d) { return (static_cast<float>(x[d]) - at.mean) * at.rstd; };
  const auto g = [=](int64_t d) { return w[d] * static_cast<float>(dy[d]); };
  const float mean_g = sum(D, g) / static_cast<float>(D);
  const float mean_gz = sum(D, [=](int64_t d) { return g(d) * z(d); }) / static_cast<float>(D);
  for (int64_t d = 0; d < D; ++d) {
    const float branch = at.rstd * (g(d) - mean_g - z(d) * mean_gz);
    dx[d] = static_cast<X>(static_cast<float>(dx[d]) + branch);
  }
}

/// Turns the pairs (i, i + half) of a head; by −sin with a direction of −1.
template <typename X>
PRESCRIPT_WIDEST void rotate_head(
    const float* cos, const float* sin, float direction, int64_t half, X* head) {
  for (int64_t i = 0; i < half; ++i) {
    const auto a = static_cast<Wide<X>>(head[i]);
    const auto b = static_cast<Wide<X>>(head[i + half]);
    head[i] = static_cast<X>(a * cos[i] - b * direction * sin[i]);
    head[i + half] = static_cast<X>(b * cos[i] + a * direction * sin[i]);
  }
}

}  // namespace

void zero(Tensor x) {
  for (int64_t n = 0; n < x.rows; ++n) {
    std::memset(x.row_range(n, 1).data, 0, static_cast<size_t>(x.cols) * size_of(x.dtype));
  }
}

void copy(Tensor x, Tensor y) {
  ops_check::same_shape("copy", x, y);
  with_any_element_type(x.dtype, [&]<typename X>(X*) {
    with_any_element_type(y.dtype, [&]<typename Y>(Y*) {
      for_rows(x.rows, [&](int64_t n) { convert(x.row<X>(n), y.row<Y>(n), x.cols); });
    });
  });
}

namespace {

/// x · factor, the factor being rounded as x is.
void multiply(double factor, Tensor x) {
  with_element_type(x.dtype, [&]<typename X>(X*) {
    const auto rounded = static_cast<float>(static_cast<X>(static_cast<float>(factor)));
    for (int64_t c = 0; c < x.cols; ++c) {
      x.row<X>(0)[c] = static_cast<X>(static_cast<float>(x.row<X>(0)[c]) * rounded);
    }
  });
}

}  // namespace

void embed(Weight embedding_VD,
           double scale,
           std::span<const Tensor> prompts_PD,
           std::span<const Row> rows,
           Tensor x_ND) {
  ops_check::embed(embedding_VD, prompts_PD, rows, x_ND);
  for (int64_t n = 0; n < x_ND.rows; ++n) {
    const Row& source = rows[n];
    const Tensor x = x_ND.row_range(n, 1);
    if (source.is_virtual()) {
      copy(prompts_PD[source.soft_prompt].row_range(source.index, 1), x);
    } else {
      copy_row(gemm_kernel(x.dtype), embedding_VD, source.index, x);
      if (scale != 1) multiply(scale, x);
    }
  }
}

void embed_input_gradient(Tensor dx_ND,
                          std::span<const Row> rows,
                          std::span<const Tensor> gradients_PD) {
  ops_check::embed_input_gradient(dx_ND, rows, gradients_PD);
  with_element_type(dx_ND.dtype, [&]<typename X>(X*) {
    for (int64_t n = 0; n < dx_ND.rows; ++n) {
      if (!rows[n].is_virtual()) continue;
      const Tensor& gradient_PD = gradients_PD[rows[n].soft_prompt];
      accumulate(dx_ND.row<X>(n), gradient_PD.row<float>(rows[n].index), dx_ND.cols);
    }
  });
}

void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add) {
  ops_check::gather_rows(x_ND, indices, y);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    for (int64_t i = 0; i < y.rows; ++i) {
      if (add) {
        accumulate(x_ND.row<X>(indices[i]), y.row<X>(i), y.cols);
      } else {
        std::copy_n(x_ND.row<X>(indices[i]), y.cols, y.row<X>(i));
      }
    }
  });
}

void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) {
  ops_check::scatter_add_rows(x, indices, y_ND);
  with_element_type(x.dtype, [&]<typename X>(X*) {
    with_element_type(y_ND.dtype, [&]<typename Y>(Y*) {
      for (int64_t i = 0; i < x.rows; ++i) {
        accumulate(x.row<X>(i), y_ND.row<Y>(indices[i]), x.cols);
      }
    });
  });
}

void add_row(Tensor row_D, Tensor y_ND) {
  ops_check::add_row(row_D, y_ND);
  with_element_type(y_ND.dtype, [&]<typename Y>(Y*) {
    for_rows(y_ND.rows,
             [&](int64_t n) { accumulate(row_D.row<float>(0), y_ND.row<Y>(n), y_ND.cols); });
  });
}

void rms_norm(Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add) {
  ops_check::rms_norm(x_ND, weight_D, y_ND, rstd_N);
  const float* w = weight_D.row<float>(0);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    for_groups(x_ND, weight_D.cols, [&](int64_t n, int64_t col, int64_t group) {
      const X* x = x_ND.row<X>(n) + col;
      X* y = y_ND.row<X>(n) + col;
      rstd_N.row<float>(0)[group] = rms_norm_row(x, w, weight_D.cols, epsilon, add, y);
    });
  });
}

void rms_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) {
  ops_check::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    with_element_type(dy_ND.dtype, [&]<typename DY>(DY*) {
      const int64_t D = weight_D.cols;
      const float* w = weight_D.row<float>(0);
      for_groups(x_ND, D, [&](int64_t n, int64_t col, int64_t group) {
        const X* x = x_ND.row<X>(n) + col;
        const DY* dy = dy_ND.row<DY>(n) + col;
        X* dx = dx_ND.row<X>(n) + col;
        differentiate_rms_norm_row(x, w, rstd_N.row<float>(0)[group], dy, D, dx);
      });
    });
  });
}

void layer_norm(Tensor x_ND,
                Tensor weight_D,
                Tensor bias_D,
                double epsilon,
                Tensor y_ND,
                Tensor statistics_2N) {
  ops_check::layer_norm(x_ND, weight_D, y_ND, statistics_2N);
  ops_check::layer_norm(x_ND, bias_D, y_ND, statistics_2N);
  const float* w = weight_D.row<float>(0);
  const float* b = bias_D.row<float>(0);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    for_rows(x_ND.rows, [&](int64_t n) {
      const MeanAndScale row =
          layer_norm_row(x_ND.row<X>(n), w, b, x_ND.cols, epsilon, y_ND.row<X>(n));
      statistics_2N.row<float>(0)[n] = row.mean;
      statistics_2N.row<float>(1)[n] = row.rstd;
    });
  });
}

void layer_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) {
  ops_check::layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND);
  const float* w = weight_D.row<float>(0);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    with_element_type(dy_ND.dtype, [&]<typename DY>(DY*) {
      for_rows(x_ND.rows, [&](int64_t n) {
        const MeanAndScale row{statistics_2N.row<float>(0)[n], statistics_2N.row<float>(1)[n]};
        differentiate_layer_norm_row(
            x_ND.row<X>(n), w, row, dy_ND.row<DY>(n), x_ND.cols, dx_ND.row<X>(n));
      });
    });
  });
}

void rotary(Tensor x,
            int64_t head_size,
            std::span<const int32_t> positions,
            Tensor cos,
            Tensor sin,
            bool inverse) {
  ops_check::rotary(x, head_size, positions, cos, sin, DType::kFloat32);
  const int64_t half = cos.cols;
  const float direction = inverse ? -1.0F : 1.0F;
  with_any_element_type(x.dtype, [&]<typename X>(X*) {
    for_rows(x.rows, [&](int64_t n) {
      const float* c = cos.row<float>(positions[n]);
      const float* s = sin.row<float>(positions[n]);
      for (X* head = x.row<X>(n); head < x.row<X>(n) + x.cols; head += head_size) {
        rotate_head(c, s, direction, half, head);
      }
    });
  });
}

}  // namespace prescript::cpu
