#include "support/autograd_llama.h"

#include <cmath>

#include <ATen/ATen.h>

namespace prescript {
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

at::Tensor to_torch(const Matrix& x, at::ScalarType type) {
  return at::from_blob(const_cast<double*>(x.values.data()), {x.rows, x.cols}, at::kDouble)
      .to(type, /*non_blocking=*/false, /*copy=*/true);
}

Matrix from_torch(const at::Tensor& x) {
  const at::Tensor wide = x.detach().to(at::kDouble).contiguous();
  Matrix y(wide.size(0), wide.size(1));
  std::copy_n(wide.data_ptr<double>(), wide.numel(), y.values.begin());
  return y;
}

class Llama {
 public:
  Llama(const DecoderConfig& config, const TensorSource& weights, at::ScalarType type)
      : c_(config), weights_(weights), type_(type) {}

  at::Tensor weight(const std::string& name) const {
    const TensorInfo* info = weights_.find(name);
    std::vector<float> values = weights_.read_all(name);
    return at::from_blob(values.data(), info->shape, at::kFloat).to(type_, false, true);
  }

  at::Tensor embedding() const { return weight("model.embed_tokens.weight"); }

  /// Logits [N, V] behind inputs [N, D].
  at::Tensor logits(at::Tensor x) const {
    const int64_t N = x.size(0);
    const auto [cos, sin] = rotary_tables(N);
    for (int64_t layer = 0; layer < c_.num_layers; ++layer) {
      const std::string p = "model.layers." + std::to_string(layer) + ".";
      const at::Tensor y = norm(x, p + "input_layernorm.weight");
      const auto heads = [&](const char* name, int64_t count) {
        return project(y, p + "self_attn." + name + ".weight")
            .view({N, count, c_.head_size})
            .transpose(0, 1);
      };
      const at::Tensor q = rotate(heads("q_proj", c_.num_heads), cos, sin);
      const int64_t group = c_.num_heads / c_.num_kv_heads;
      const at::Tensor k =
          rotate(heads("k_proj", c_.num_kv_heads), cos, sin).repeat_interleave(group, 0);
      const at::Tensor v = heads("v_proj", c_.num_kv_heads).repeat_interleave(group, 0);
      const at::Tensor attended = at::scaled_dot_product_attention(q.unsqueeze(0),
                                                                   k.unsqueeze(0),
                                                                   v.unsqueeze(0),
                                                                   /*attn_mask=*/{},
                                                                   /*dropout_p=*/0,
                                                                   /*is_causal=*/true);
      x = x + project(attended.squeeze(0).transpose(0, 1).reshape({N, c_.query_size()}),
                      p + "self_attn.o_proj.weight");
      const at::Tensor z = norm(x, p + "post_attention_layernorm.weight");
      x = x + project(at::silu(project(z, p + "mlp.gate_proj.weight")) *
                          project(z, p + "mlp.up_proj.weight"),
                      p + "mlp.down_proj.weight");
    }
    return project(norm(x, "model.norm.weight"),
                   c_.tied_head ? "model.embed_tokens.weight" : "lm_head.weight");
  }

 private:
  at::Tensor project(const at::Tensor& x, const std::string& name) const {
    return at::matmul(x, weight(name).t());
  }

  at::Tensor norm(const at::Tensor& x, const std::string& name) const {
    const at::Tensor wide = type_ == at::kBFloat16 ? x.to(at::kFloat) : x;
    const at::Tensor rstd = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + c_.norm_epsilon);
    return (wide * rstd).to(type_) * weight(name);
  }

  std::pair<at::Tensor, at::Tensor> rotary_tables(int64_t N) const {
    const int64_t E = c_.head_size;
    at::Tensor cos = at::empty({N, E}, at::kFloat);
    at::Tensor sin = at::empty({N, E}, at::kFloat);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t e = 0; e < E; ++e) {
        const float power = static_cast<float>(2 * (e % (E / 2))) / static_cast<float>(E);
        const float frequency = 1.0F / std::pow(static_cast<float>(c_.rope.theta), power);
        const float angle = static_cast<float>(n) * frequency;
        cos.data_ptr<float>()[n * E + e] = std::cos(angle);
        sin.data_ptr<float>()[n * E + e] = std::sin(angle);
      }
    }
    return {cos.to(type_), sin.to(type_)};
  }

  /// x [heads, N, E]: transformers' rotate_half.
  at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) const {
    const int64_t half = c_.head_size / 2;
    const at::Tensor turned = at::cat({-x.slice(-1, half), x.slice(-1, 0, half)}, -1);
    return x * cos + turned * sin;
  }

  const DecoderConfig& c_;
  const TensorSource& weights_;
  at::ScalarType type_;
};

}  // namespace

AutogradResult autograd_llama(const DecoderConfig& config,
                              const TensorSource& weights,
                              const std::vector<Sequence>& sequences,
                              const std::vector<Matrix>& prompts,
                              DType dtype) {
  const at::ScalarType type = scalar_type(dtype);
  const at::ScalarType prompt_type = dtype == DType::kFloat64 ? at::kDouble : at::kFloat;
  const Llama llama(config, weights, type);
  const at::Tensor embedding = llama.embedding();
  std::vector<at::Tensor> leaves;
  for (const Matrix& prompt : prompts) {
    leaves.push_back(to_torch(prompt, prompt_type).requires_grad_(true));
  }

  AutogradResult result;
  std::vector<at::Tensor> all_logits;
  for (const Sequence& sequence : sequences) {
    std::vector<at::Tensor> inputs;
    for (size_t n = 0; n + 1 < sequence.rows.size(); ++n) {
      const Row& row = sequence.rows[n];
      inputs.push_back(row.is_virtual() ? leaves[row.soft_prompt][row.index].to(type)
                                        : embedding[row.index]);
    }
    const at::Tensor logits = llama.logits(at::stack(inputs));
    const at::Tensor log_probs =
        at::log_softmax(type == at::kBFloat16 ? logits.to(at::kFloat) : logits, -1);
    at::Tensor loss = at::zeros({}, log_probs.options());
    for (const int32_t position : sequence.target_positions) {
      const at::Tensor log_prob = log_probs[position - 1][sequence.rows[position].index];
      loss = loss - sequence.target_weight * log_prob;
      result.log_probs.push_back(log_prob.item<double>());
      all_logits.push_back(logits[position - 1].detach().to(at::kDouble));
    }
    result.loss += loss.item<double>();
    if (loss.requires_grad()) loss.backward();
  }
  for (size_t p = 0; p < leaves.size(); ++p) {
    const at::Tensor& gradient = leaves[p].grad();
    result.gradients.push_back(gradient.defined() ? from_torch(gradient)
                                                  : Matrix(prompts[p].rows, prompts[p].cols));
  }
  result.logit_deviation = at::stack(all_logits).std().item<double>();
  return result;
}

Matrix autograd_llama_logits(const DecoderConfig& config,
                             const TensorSource& weights,
                             const std::vector<int32_t>& ids) {
  const Llama llama(config, weights, at::kDouble);
  std::vector<at::Tensor> inputs;
  for (const int32_t id : ids) inputs.push_back(llama.embedding()[id]);
  return from_torch(llama.logits(at::stack(inputs)));
}

}  // namespace prescript
