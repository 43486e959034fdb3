#include "ops/cpu_rows.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include <ATen/Parallel.h>
#include <c10/util/BFloat16.h>

#include "ops/check.h"
#include "ops/cpu_weight.h"

namespace prescript::cpu {
namespace {

// Partial sums of a dot product: as many as fill a vector register, and 16 times less rounding than
// one.
constexpr int64_t kLanes = 16;

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
  at::parallel_for(0, num_rows, kGrainRows, [&](int64_t begin, int64_t end) {
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

/// Σ term(i) over [0, size), in a fixed order.
template <typename Term>
float sum(int64_t size, const Term& term) {
  float lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < size; ++i) lanes[i % kLanes] += term(i);
  float total = 0;
  for (const float lane : lanes) total += lane;
  return total;
}

template <typename X, typename Y>
void convert(const X* x, Y* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) y[i] = static_cast<Y>(static_cast<Wide<X, Y>>(x[i]));
}

template <typename X, typename Y>
void accumulate(const X* x, Y* y, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    y[i] = static_cast<Y>(static_cast<float>(y[i]) + static_cast<float>(x[i]));
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

void embed(Weight embedding_VD,
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

void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y) {
  ops_check::gather_rows(x_ND, indices, y);
  for (int64_t i = 0; i < y.rows; ++i) copy(x_ND.row_range(indices[i], 1), y.row_range(i, 1));
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
    for_rows(y_ND.rows, [&](int64_t n) { accumulate(row_D.row<Y>(0), y_ND.row<Y>(n), y_ND.cols); });
  });
}

void rms_norm(Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N) {
  ops_check::rms_norm(x_ND, weight_D, y_ND, rstd_N);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    const X* w = weight_D.row<X>(0);
    for_groups(x_ND, weight_D.cols, [&](int64_t n, int64_t col, int64_t group) {
      const X* x = x_ND.row<X>(n) + col;
      X* y = y_ND.row<X>(n) + col;
      const float squares = sum(weight_D.cols, [x](int64_t d) {
        return static_cast<float>(x[d]) * static_cast<float>(x[d]);
      });
      const auto mean = static_cast<double>(squares) / static_cast<double>(weight_D.cols);
      const auto rstd = static_cast<float>(1 / std::sqrt(mean + epsilon));
      rstd_N.row<float>(0)[group] = rstd;
      for (int64_t d = 0; d < weight_D.cols; ++d) {
        y[d] = static_cast<X>(static_cast<float>(x[d]) * rstd * static_cast<float>(w[d]));
      }
    });
  });
}

void rms_norm_input_gradient(
    Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) {
  ops_check::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
  with_element_type(x_ND.dtype, [&]<typename X>(X*) {
    with_element_type(dy_ND.dtype, [&]<typename DY>(DY*) {
      const int64_t D = weight_D.cols;
      const X* w = weight_D.row<X>(0);
      for_groups(x_ND, D, [&](int64_t n, int64_t col, int64_t group) {
        const X* x = x_ND.row<X>(n) + col;
        const DY* dy = dy_ND.row<DY>(n) + col;
        X* dx = dx_ND.row<X>(n) + col;
        const float rstd = rstd_N.row<float>(0)[group];
        const float projection = sum(D, [=](int64_t d) {
          return static_cast<float>(w[d]) * static_cast<float>(dy[d]) * static_cast<float>(x[d]);
        });
        const float factor = rstd * rstd * rstd / static_cast<float>(D) * projection;
        for (int64_t d = 0; d < D; ++d) {
          const float branch = rstd * static_cast<float>(w[d]) * static_cast<float>(dy[d]);
          dx[d] = static_cast<X>(static_cast<float>(dx[d]) + branch -
                                 static_cast<float>(x[d]) * factor);
        }
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
        for (int64_t i = 0; i < half; ++i) {
          const auto a = static_cast<Wide<X>>(head[i]);
          const auto b = static_cast<Wide<X>>(head[i + half]);
          head[i] = static_cast<X>(a * c[i] - b * direction * s[i]);
          head[i + half] = static_cast<X>(b * c[i] + a * direction * s[i]);
        }
      }
    });
  });
}

}  // namespace prescript::cpu
