#include "support/plain_ops.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace prescript::plain {
namespace {

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return at::kFloat;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat64:
      return at::kDouble;
  }
  return at::kDouble;
}

at::Tensor to_torch(DType dtype, const Matrix& x) {
  return at::from_blob(const_cast<double*>(x.values.data()), {x.rows, x.cols}, at::kDouble)
      .to(scalar_type(dtype), /*non_blocking=*/false, /*copy=*/true);
}

Matrix from_torch(const at::Tensor& x) {
  const at::Tensor wide = x.detach().to(at::kDouble).contiguous();
  Matrix y(wide.size(0), wide.size(1));
  std::copy_n(wide.data_ptr<double>(), wide.numel(), y.values.begin());
  return y;
}

at::Tensor leaf(DType dtype, const Matrix& x) {
  return to_torch(dtype, x).requires_grad_(true);
}

at::Tensor at_least_float32(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

Result differentiated(const at::Tensor& out,
                      const Matrix& dout,
                      const std::vector<at::Tensor>& leaves) {
  Result result{.out = from_torch(out), .gradients = {}};
  if (out.numel() > 0) out.backward(to_torch(DType::kFloat64, dout).to(out.scalar_type()));
  for (const at::Tensor& x : leaves) {
    result.gradients.push_back(x.grad().defined() ? from_torch(x.grad())
                                                  : Matrix(x.size(0), x.size(1)));
  }
  return result;
}

/// [rows, heads·E] -> [1, heads·repeats, rows, E].
at::Tensor heads_of(const at::Tensor& x, int64_t head_size, int64_t repeats) {
  return x.view({x.size(0), x.size(1) / head_size, head_size})
      .transpose(0, 1)
      .repeat_interleave(repeats, 0)
      .unsqueeze(0);
}

at::Tensor capped(const at::Tensor& x, double cap) {
  return cap == 0 ? x : at::tanh(x / cap) * cap;
}

/// [1, H, N, M].
at::Tensor scores_of(const AttentionShape& shape, const at::Tensor& q, const at::Tensor& k) {
  const at::Tensor keys = heads_of(k, shape.head_size, shape.num_heads / shape.num_kv_heads);
  const at::Tensor scores = at::matmul(heads_of(q, shape.head_size, 1), keys.transpose(2, 3));
  return capped(scores * shape.scale, shape.cap);
}

}  // namespace

Result linear(DType dtype, const Matrix& x_NI, const Matrix& weight_OI, const Matrix& dout_NO) {
  const at::Tensor x = leaf(dtype, x_NI);
  return differentiated(at::mm(x, to_torch(dtype, weight_OI).t()), dout_NO, {x});
}

Matrix add_row(DType dtype, const Matrix& row_D, const Matrix& y_ND) {
  return from_torch(to_torch(dtype, y_ND) + to_torch(dtype, row_D));
}

Result rms_norm(DType dtype,
                const Matrix& x_ND,
                const Matrix& weight_D,
                double epsilon,
                const Matrix& dout_ND) {
  const at::Tensor x = leaf(dtype, x_ND);
  const at::Tensor wide = at_least_float32(x).view({-1, weight_D.cols});  // a row for each group
  const at::Tensor rstd = at::rsqrt(wide.square().mean(1, /*keepdim=*/true) + epsilon);
  const at::Tensor y = (wide * rstd).to(scalar_type(dtype)) * to_torch(dtype, weight_D);
  return differentiated(y.view({x_ND.rows, x_ND.cols}), dout_ND, {x});
}

Result layer_norm(DType dtype,
                  const Matrix& x_ND,
                  const Matrix& weight_D,
                  const Matrix& bias_D,
                  double epsilon,
                  const Matrix& dout_ND) {
  const at::Tensor x = leaf(dtype, x_ND);
  const auto vector = [&](const Matrix& values) { return to_torch(dtype, values).squeeze(0); };
  return differentiated(
      at::layer_norm(x, {x_ND.cols}, vector(weight_D), vector(bias_D), epsilon), dout_ND, {x});
}

Result rotary(DType dtype,
              const Matrix& x,
              int64_t head_size,
              const std::vector<int32_t>& positions,
              const Matrix& cos,
              const Matrix& sin,
              const Matrix& dout) {
  const at::Tensor flat = leaf(dtype, x);
  const int64_t half = cos.cols;
  const auto table = [&](const Matrix& values) {
    Matrix rows(x.rows, half);
    for (int64_t n = 0; n < x.rows; ++n) {
      std::copy_n(values.row(positions[n]), half, rows.row(n));
    }
    return to_torch(dtype, rows).repeat({1, 2}).unsqueeze(1);
  };
  const at::Tensor heads = flat.view({x.rows, x.cols / head_size, head_size});
  const at::Tensor pairs = heads.slice(-1, 0, 2 * half);
  const at::Tensor turned = at::cat({-pairs.slice(-1, half), pairs.slice(-1, 0, half)}, -1);
  const at::Tensor y =
      at::cat({pairs * table(cos) + turned * table(sin), heads.slice(-1, 2 * half)}, -1);
  return differentiated(y.reshape({x.rows, x.cols}), dout, {flat});
}

Result attention(DType dtype,
                 const AttentionShape& shape,
                 const Matrix& q_NHE,
                 const Matrix& k_MKE,
                 const Matrix& v_MKE,
                 const Matrix& is_seen,
                 const Matrix& dout_NHE) {
  const at::Tensor q = leaf(dtype, q_NHE);
  const at::Tensor k = leaf(dtype, k_MKE);
  const at::Tensor v = leaf(dtype, v_MKE);
  const int64_t group = shape.num_heads / shape.num_kv_heads;
  const at::Tensor values = heads_of(v, shape.head_size, group);
  const at::Tensor mask = to_torch(DType::kFloat64, is_seen).to(at::kBool);
  const at::Tensor out =
      shape.cap == 0
          ? at::scaled_dot_product_attention(heads_of(q, shape.head_size, 1),
                                             heads_of(k, shape.head_size, group),
                                             values,
                                             mask,
                                             /*dropout_p=*/0,
                                             /*is_causal=*/false,
                                             shape.scale)
          : at::matmul(at::softmax(scores_of(shape, q, k).masked_fill(~mask, -INFINITY), -1),
                       values);
  return differentiated(
      out.squeeze(0).transpose(0, 1).reshape({q_NHE.rows, q_NHE.cols}), dout_NHE, {q, k, v});
}

Matrix log_sum_exp(const AttentionShape& shape,
                   const Matrix& q_NHE,
                   const Matrix& k_MKE,
                   const Matrix& is_seen) {
  const at::Tensor q = to_torch(DType::kFloat64, q_NHE);
  const at::Tensor k = to_torch(DType::kFloat64, k_MKE);
  const at::Tensor hidden = to_torch(DType::kFloat64, is_seen).eq(0);
  const at::Tensor scores = scores_of(shape, q, k).masked_fill(hidden, -INFINITY);
  return from_torch(at::logsumexp(scores, -1).squeeze(0).t());
}

Result activate(DType dtype, Activation f, const Matrix& x, const Matrix& dout_NF) {
  const int64_t F = dout_NF.cols;
  const at::Tensor all = leaf(dtype, x);
  const at::Tensor gate = all.narrow(1, 0, F);
  at::Tensor h = f == Activation::kSilu   ? at::silu(gate)
                 : f == Activation::kGelu ? at::gelu(gate, "none")
                                          : at::gelu(gate, "tanh");
  if (x.cols > F) h = h * all.narrow(1, F, F);
  return differentiated(h, dout_NF, {all});
}

Matrix logits(DType dtype, const Matrix& hidden_ND, const Matrix& head_VD, double cap) {
  const at::Tensor products = at::mm(to_torch(dtype, hidden_ND), to_torch(dtype, head_VD).t());
  return from_torch(capped(products, cap));
}

Result cross_entropy(DType dtype,
                     const Matrix& hidden_TD,
                     const Matrix& head_VD,
                     double cap,
                     const std::vector<int32_t>& token_ids,
                     const std::vector<float>& weights) {
  const auto T = static_cast<int64_t>(token_ids.size());
  const at::Tensor hidden = leaf(dtype, hidden_TD);
  const at::Tensor logits = capped(at::mm(hidden, to_torch(dtype, head_VD).t()), cap);
  const at::Tensor ids =
      at::tensor(std::vector<int64_t>(token_ids.begin(), token_ids.end()), at::kLong);
  const at::Tensor log_probs =
      at::log_softmax(at_least_float32(logits), 1).gather(1, ids.view({T, 1})).t();
  Matrix dout(1, T);
  for (int64_t t = 0; t < T; ++t) dout.at(0, t) = -static_cast<double>(weights[t]);
  return differentiated(log_probs, dout, {hidden});
}

}  // namespace prescript::plain
