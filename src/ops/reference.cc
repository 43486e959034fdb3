// The reference backend: every operation as its plain formula, in float64, one row and one head at
// a time. It is the oracle of every other backend, so nothing here is clever.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "base/arena.h"
#include "ops/check.h"
#include "ops/ops.h"
#include "ops/reference_attention.h"
#include "ops/reference_formulas.h"

namespace prescript {
namespace {

using reference::activation;
using reference::add_scaled;
using reference::capped;
using reference::dot;
using reference::row;
using reference::slope_at;

void require_float64(std::initializer_list<Tensor> tensors) {
  for (const Tensor& tensor : tensors) {
    PRESCRIPT_CHECK(tensor.dtype == DType::kFloat64, "reference: " + tensor.describe());
  }
}

/// A weight lies as its rows do.
Tensor rows_of(const Weight& weight) {
  return {weight.data, weight.dtype, weight.rows, weight.cols, weight.row_size()};
}

class ReferenceOps final : public Ops {
 public:
  std::string_view name() const override { return "reference"; }
  DType accumulate_dtype() const override { return DType::kFloat64; }
  DType kv_gradient_dtype() const override { return DType::kFloat64; }

  Buffer allocate(size_t bytes) override {
    const size_t padded = (bytes + Arena::kAlignment) / Arena::kAlignment * Arena::kAlignment;
    void* data = std::aligned_alloc(Arena::kAlignment, padded);
    if (data == nullptr)
      throw DeviceError("aligned_alloc(" + std::to_string(padded) + "): no memory");
    return Buffer(data, [](void* p) { std::free(p); });
  }

  void zero(Tensor x) override {
    require_float64({x});
    for (int64_t n = 0; n < x.rows; ++n) std::fill_n(row(x, n), x.cols, 0.0);
  }

  void copy(Tensor x, Tensor y) override {
    require_float64({x, y});
    ops_check::same_shape("copy", x, y);
    for (int64_t n = 0; n < x.rows; ++n) std::copy_n(row(x, n), x.cols, row(y, n));
  }

  void upload(const float* x, Tensor y) override {
    require_float64({y});
    for (int64_t n = 0; n < y.rows; ++n) std::copy_n(x + n * y.cols, y.cols, row(y, n));
  }

  void download(Tensor x, float* y) override {
    require_float64({x});
    for (int64_t n = 0; n < x.rows; ++n) {
      for (int64_t c = 0; c < x.cols; ++c) y[n * x.cols + c] = static_cast<float>(row(x, n)[c]);
    }
  }

  void lay_out(const ReadRows& read, Weight weight) override {
    std::vector<float> rows(static_cast<size_t>(weight.rows * weight.cols));
    read(0, weight.rows, rows.data());
    upload(rows.data(), rows_of(weight));
  }

  void embed(Weight embedding_VD,
             double scale,
             std::span<const Tensor> prompts_PD,
             std::span<const Row> rows,
             Tensor x_ND) override {
    require_float64({rows_of(embedding_VD), x_ND});
    ops_check::embed(embedding_VD, prompts_PD, rows, x_ND);
    for (int64_t n = 0; n < x_ND.rows; ++n) {
      const Row& source = rows[n];
      if (!source.is_virtual()) {
        std::fill_n(row(x_ND, n), x_ND.cols, 0.0);
        add_scaled(scale, row(rows_of(embedding_VD), source.index), row(x_ND, n), x_ND.cols);
        continue;
      }
      std::copy_n(row(prompts_PD[source.soft_prompt], source.index), x_ND.cols, row(x_ND, n));
    }
  }

  void embed_input_gradient(Tensor dx_ND,
                            std::span<const Row> rows,
                            std::span<const Tensor> gradients_PD) override {
    require_float64({dx_ND});
    ops_check::embed_input_gradient(dx_ND, rows, gradients_PD);
    for (int64_t n = 0; n < dx_ND.rows; ++n) {
      if (!rows[n].is_virtual()) continue;
      add_scaled(
          1, row(dx_ND, n), row(gradients_PD[rows[n].soft_prompt], rows[n].index), dx_ND.cols);
    }
  }

  void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add) override {
    require_float64({x_ND, y});
    ops_check::gather_rows(x_ND, indices, y);
    if (!add) zero(y);
    for (int64_t i = 0; i < y.rows; ++i) add_scaled(1, row(x_ND, indices[i]), row(y, i), y.cols);
  }

  void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) override {
    require_float64({x, y_ND});
    ops_check::scatter_add_rows(x, indices, y_ND);
    for (int64_t i = 0; i < x.rows; ++i) add_scaled(1, row(x, i), row(y_ND, indices[i]), x.cols);
  }

  void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) override {
    require_float64({x_NI, rows_of(weight_OI), y_NO});
    ops_check::linear("linear", x_NI, weight_OI, y_NO);
    for (int64_t n = 0; n < x_NI.rows; ++n) {
      for (int64_t o = 0; o < weight_OI.rows; ++o) {
        const double y = dot(row(x_NI, n), row(rows_of(weight_OI), o), x_NI.cols);
        row(y_NO, n)[o] = add ? row(y_NO, n)[o] + y : y;
      }
    }
  }

  void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) override {
    require_float64({dy_NO, rows_of(weight_OI), dx_NI});
    ops_check::linear("linear_input_gradient", dx_NI, weight_OI, dy_NO);
    zero(dx_NI);
    for (int64_t n = 0; n < dx_NI.rows; ++n) {
      for (int64_t o = 0; o < weight_OI.rows; ++o) {
        add_scaled(row(dy_NO, n)[o], row(rows_of(weight_OI), o), row(dx_NI, n), dx_NI.cols);
      }
    }
  }

  void add_row(Tensor row_D, Tensor y_ND) override {
    require_float64({row_D, y_ND});
    ops_check::add_row(row_D, y_ND);
    for (int64_t n = 0; n < y_ND.rows; ++n) add_scaled(1, row(row_D, 0), row(y_ND, n), y_ND.cols);
  }

  void rms_norm(
      Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add) override {
    require_float64({x_ND, weight_D, y_ND, rstd_N});
    ops_check::rms_norm(x_ND, weight_D, y_ND, rstd_N);
    const int64_t D = weight_D.cols;
    const int64_t groups = x_ND.cols / D;
    for (int64_t g = 0; g < x_ND.rows * groups; ++g) {
      const double* x = row(x_ND, g / groups) + g % groups * D;
      double* y = row(y_ND, g / groups) + g % groups * D;
      const double rstd = 1 / std::sqrt(dot(x, x, D) / static_cast<double>(D) + epsilon);
      row(rstd_N, 0)[g] = rstd;
      for (int64_t d = 0; d < D; ++d) {
        y[d] = x[d] * rstd * row(weight_D, 0)[d] + (add ? y[d] : 0);
      }
    }
  }

  void rms_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) override {
    require_float64({x_ND, weight_D, rstd_N, dy_ND, dx_ND});
    ops_check::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
    const int64_t D = weight_D.cols;
    const int64_t groups = x_ND.cols / D;
    const double* w = row(weight_D, 0);
    for (int64_t g = 0; g < x_ND.rows * groups; ++g) {
      const int64_t col = g % groups * D;
      const double* x = row(x_ND, g / groups) + col;
      const double* dy = row(dy_ND, g / groups) + col;
      double* dx = row(dx_ND, g / groups) + col;
      const double rstd = row(rstd_N, 0)[g];
      double projection = 0;
      for (int64_t d = 0; d < D; ++d) projection += w[d] * dy[d] * x[d];
      const double factor = rstd * rstd * rstd / static_cast<double>(D) * projection;
      for (int64_t d = 0; d < D; ++d) dx[d] += rstd * w[d] * dy[d] - x[d] * factor;
    }
  }

  void layer_norm(Tensor x_ND,
                  Tensor weight_D,
                  Tensor bias_D,
                  double epsilon,
                  Tensor y_ND,
                  Tensor statistics_2N) override {
    require_float64({x_ND, weight_D, bias_D, y_ND, statistics_2N});
    ops_check::layer_norm(x_ND, weight_D, y_ND, statistics_2N);
    ops_check::layer_norm(x_ND, bias_D, y_ND, statistics_2N);
    const auto D = static_cast<double>(x_ND.cols);
    for (int64_t n = 0; n < x_ND.rows; ++n) {
      const std::span<const double> x(row(x_ND, n), x_ND.cols);
      double mean = 0;
      for (const double value : x) mean += value / D;
      double variance = 0;
      for (const double value : x) variance += (value - mean) * (value - mean) / D;
      const double rstd = 1 / std::sqrt(variance + epsilon);
      row(statistics_2N, 0)[n] = mean;
      row(statistics_2N, 1)[n] = rstd;
      for (int64_t d = 0; d < x_ND.cols; ++d) {
        row(y_ND, n)[d] = (x[d] - mean) * rstd * row(weight_D, 0)[d] + row(bias_D, 0)[d];
      }
    }
  }

  void layer_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) override {
    require_float64({x_ND, weight_D, statistics_2N, dy_ND, dx_ND});
    ops_check::layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND);
    const auto D = static_cast<double>(x_ND.cols);
    for (int64_t n = 0; n < x_ND.rows; ++n) {
      const double mean = row(statistics_2N, 0)[n];
      const double rstd = row(statistics_2N, 1)[n];
      const auto z = [&](int64_t d) { return (row(x_ND, n)[d] - mean) * rstd; };
      const auto g = [&](int64_t d) { return row(weight_D, 0)[d] * row(dy_ND, n)[d]; };
      double mean_g = 0;
      double mean_gz = 0;
      for (int64_t d = 0; d < x_ND.cols; ++d) {
        mean_g += g(d) / D;
        mean_gz += g(d) * z(d) / D;
      }
      for (int64_t d = 0; d < x_ND.cols; ++d) {
        row(dx_ND, n)[d] += rstd * (g(d) - mean_g - z(d) * mean_gz);
      }
    }
  }

  void rotary(Tensor x,
              int64_t head_size,
              std::span<const int32_t> positions,
              Tensor cos,
              Tensor sin,
              bool inverse) override {
    require_float64({x, cos, sin});
    ops_check::rotary(x, head_size, positions, cos, sin, DType::kFloat64);
    const int64_t half = cos.cols;
    for (int64_t n = 0; n < x.rows; ++n) {
      for (int64_t begin = 0; begin < x.cols; begin += head_size) {
        double* head = row(x, n) + begin;
        for (int64_t i = 0; i < half; ++i) {
          const double c = row(cos, positions[n])[i];
          const double s = inverse ? -row(sin, positions[n])[i] : row(sin, positions[n])[i];
          const double a = head[i];
          const double b = head[i + half];
          head[i] = a * c - b * s;
          head[i + half] = b * c + a * s;
        }
      }
    }
  }

  void attention(const AttentionShape& shape,
                 std::span<const Part> parts,
                 Tensor q_NHE,
                 std::span<const KeyValues> sources,
                 Tensor out_NHE,
                 Tensor lse_NH) override {
    require_float64({q_NHE, out_NHE, lse_NH});
    reference::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  }

  // The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
  void attention_input_gradient(const AttentionShape& shape,
                                std::span<const Part> parts,
                                Tensor q_NHE,
                                std::span<const KeyValues> sources,
                                Tensor out_NHE,
                                Tensor lse_NH,
                                Tensor dout_NHE,
                                Tensor dq_NHE,
                                std::span<const KeyValues> gradients) override {
    require_float64({q_NHE, out_NHE, lse_NH, dout_NHE, dq_NHE});
    reference::attention_input_gradient(
        shape, parts, q_NHE, sources, out_NHE, lse_NH, dout_NHE, dq_NHE, gradients);
  }

  void activate(Activation f, Tensor x, Tensor h_NF) override {
    require_float64({x, h_NF});
    ops_check::activate(x, h_NF);
    const int64_t F = h_NF.cols;
    for (int64_t n = 0; n < h_NF.rows; ++n) {
      for (int64_t i = 0; i < F; ++i) {
        const double up = x.cols > F ? row(x, n)[F + i] : 1;
        row(h_NF, n)[i] = activation(f, row(x, n)[i]).value * up;
      }
    }
  }

  void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) override {
    require_float64({x, dh_NF, dx});
    ops_check::activate_input_gradient(x, dh_NF, dx);
    const int64_t F = dh_NF.cols;
    for (int64_t n = 0; n < dh_NF.rows; ++n) {
      for (int64_t i = 0; i < F; ++i) {
        const auto [value, slope] = activation(f, row(x, n)[i]);
        const double dh = row(dh_NF, n)[i];
        const double up = x.cols > F ? row(x, n)[F + i] : 1;
        row(dx, n)[i] = dh * up * slope;
        if (x.cols > F) row(dx, n)[F + i] = dh * value;
      }
    }
  }

  void cross_entropy(Tensor hidden_TD,
                     const WeightRows& head_VD,
                     double cap,
                     std::span<const int32_t> token_ids,
                     std::span<const float> weights,
                     Tensor log_probs_T,
                     Tensor dhidden_TD) override {
    const int64_t V = head_VD.shape().rows;
    require_float64({hidden_TD, log_probs_T});
    ops_check::cross_entropy(
        hidden_TD, head_VD.shape(), token_ids, weights, log_probs_T, dhidden_TD);
    std::vector<double> logits(V);
    for (int64_t t = 0; t < hidden_TD.rows; ++t) {
      const Tensor logits_1V{logits.data(), DType::kFloat64, 1, V, V};
      this->logits(hidden_TD.row_range(t, 1), head_VD, cap, logits_1V);
      const double max = *std::max_element(logits.begin(), logits.end());
      double sum = 0;
      for (const double logit : logits) sum += std::exp(logit - max);
      const double lse = max + std::log(sum);
      row(log_probs_T, 0)[t] = logits[token_ids[t]] - lse;
      if (dhidden_TD.data == nullptr) continue;
      for (int64_t v = 0; v < V; ++v) {
        const double is_target = v == token_ids[t] ? 1 : 0;
        const double probability = std::exp(logits[v] - lse);
        logits[v] = weights[t] * (probability - is_target) * slope_at(logits[v], cap);
      }
      zero(dhidden_TD.row_range(t, 1));
      head_VD.for_ranges([&](int64_t begin, const Weight& rows) {
        for (int64_t v = 0; v < rows.rows; ++v) {
          add_scaled(logits[begin + v], row(rows_of(rows), v), row(dhidden_TD, t), dhidden_TD.cols);
        }
      });
    }
  }

  void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV) override {
    ops_check::logits(hidden_ND, head_VD.shape(), logits_NV);
    head_VD.for_ranges([&](int64_t begin, const Weight& rows) {
      linear(hidden_ND, rows, logits_NV.col_range(begin, rows.rows), false);
    });
    for (int64_t n = 0; n < logits_NV.rows; ++n) {
      for (int64_t v = 0; v < logits_NV.cols; ++v) {
        row(logits_NV, n)[v] = capped(row(logits_NV, n)[v], cap);
      }
    }
  }
};

}  // namespace

std::unique_ptr<Ops> make_reference_ops() {
  return std::make_unique<ReferenceOps>();
}

}  // namespace prescript
