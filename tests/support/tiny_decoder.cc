#include "support/tiny_decoder.h"

#include <cmath>

namespace prescript {

std::vector<std::string> MemoryTensors::names() const {
  std::vector<std::string> names;
  for (const auto& [name, values] : tensors_) names.push_back(name);
  return names;
}

const TensorInfo* MemoryTensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return nullptr;
  const Matrix& x = found->second;
  TensorInfo info{.name = found->first, .stored_type = "F32", .shape = {x.rows, x.cols}};
  if (x.rows == 1) info.shape = {x.cols};
  info.bytes = x.values.size() * sizeof(float);
  return &(infos_[info.name] = info);
}

std::vector<TensorInfo> MemoryTensors::list() const {
  std::vector<TensorInfo> infos;
  for (const std::string& name : names()) infos.push_back(*find(name));
  return infos;
}

void MemoryTensors::read(std::string_view name,
                         int64_t row_begin,
                         int64_t row_end,
                         int64_t col_begin,
                         int64_t col_end,
                         float* out) const {
  const Matrix& x = tensors_.find(name)->second;
  for (int64_t r = row_begin; r < row_end; ++r) {
    for (int64_t c = col_begin; c < col_end; ++c) *out++ = static_cast<float>(x.at(r, c));
  }
}

std::optional<StoredBlocks> MemoryTensors::blocks(std::string_view name) const {
  const Matrix& x = tensors_.find(name)->second;
  std::vector<float>& narrow = blocks_[std::string(name)];
  narrow.assign(x.values.begin(), x.values.end());
  return StoredBlocks{GgmlType::kF32, std::as_bytes(std::span(narrow))};
}

DecoderConfig tiny_config() {
  return {.family = "llama",
          .vocabulary_size = 61,
          .hidden_size = 32,
          .feed_forward_size = 40,
          .num_layers = 3,
          .num_heads = 4,
          .num_kv_heads = 2,
          .head_size = 8,
          .rotary_size = 8,
          .max_positions = 512,
          .norm_epsilon = 1e-5,
          .rope = {.theta = 10000},
          .tied_head = false,
          .features = {.interleaved_in_gguf = true}};
}

MemoryTensors random_llama(const DecoderConfig& c, uint64_t seed) {
  MemoryTensors tensors;
  const auto add = [&](const std::string& name, int64_t out, int64_t in, double gain) {
    const double deviation = gain / std::sqrt(static_cast<double>(in));
    tensors.set(name, random_matrix(out, in, name, deviation, 0, seed));
  };
  const auto add_norm = [&](const std::string& name) {
    tensors.set(name, random_matrix(1, c.hidden_size, name, 0.2, 1, seed));
  };
  add("model.embed_tokens.weight", c.vocabulary_size, c.hidden_size, 2);
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add_norm(prefix + "input_layernorm.weight");
    add(prefix + "self_attn.q_proj.weight", c.query_size(), c.hidden_size, 1.5);
    add(prefix + "self_attn.k_proj.weight", c.kv_size(), c.hidden_size, 1.5);
    add(prefix + "self_attn.v_proj.weight", c.kv_size(), c.hidden_size, 1);
    add(prefix + "self_attn.o_proj.weight", c.hidden_size, c.query_size(), 1);
    add_norm(prefix + "post_attention_layernorm.weight");
    add(prefix + "mlp.gate_proj.weight", c.feed_forward_size, c.hidden_size, 1.5);
    add(prefix + "mlp.up_proj.weight", c.feed_forward_size, c.hidden_size, 1);
    add(prefix + "mlp.down_proj.weight", c.hidden_size, c.feed_forward_size, 1);
  }
  add_norm("model.norm.weight");
  if (!c.tied_head) add("lm_head.weight", c.vocabulary_size, c.hidden_size, 2);
  return tensors;
}

TinyDecoder::TinyDecoder(const Backend& backend,
                         const DecoderConfig& config,
                         const TensorSource& weights,
                         WeightFormat format)
    : dtype_(backend.dtype),
      ops_(backend.make()),
      weights_(load_weights(*ops_, weights, config, dtype_, format)),
      decoder_(std::make_unique<Decoder>(*ops_, config, *weights_, config.max_positions)) {}

StepResult TinyDecoder::differentiate(const std::vector<Sequence>& sequences,
                                      const std::vector<Matrix>& prompts,
                                      const StepOptions& options) {
  return run(sequences, prompts, options, true);
}

StepResult TinyDecoder::score(const std::vector<Sequence>& sequences,
                              const std::vector<Matrix>& prompts,
                              const StepOptions& options) {
  return run(sequences, prompts, options, false);
}

StepResult TinyDecoder::run(const std::vector<Sequence>& sequences,
                            const std::vector<Matrix>& prompts,
                            const StepOptions& options,
                            bool training) {
  Workbench bench(*ops_, dtype_);
  std::vector<Tensor> prompts_PD;
  std::vector<Tensor> gradients_PD;
  for (const Matrix& prompt : prompts) {
    prompts_PD.push_back(bench.put(prompt, bench.sums()));
    gradients_PD.push_back(bench.put(Matrix(prompt.rows, prompt.cols), bench.sums()));
  }
  std::vector<KeyValueRun> runs;
  std::vector<KeyValueRun*> given;
  for (const auto& rows : options.given) {
    runs.push_back(compute_key_values(*decoder_, rows, options.plan.max_rows, prompts_PD));
  }
  for (KeyValueRun& kept : runs) given.push_back(&kept);

  const Forest forest = build_forest(sequences, options.given, options.forest);
  const ForestResult found =
      training
          ? differentiate_forest(*decoder_, forest, options.plan, prompts_PD, given, gradients_PD)
          : score_forest(*decoder_, forest, options.plan, prompts_PD, given);
  StepResult result{
      .log_probs = found.log_probs, .rows_computed = found.rows_computed, .flops = found.flops};
  for (size_t t = 0; t < forest.targets.size(); ++t) {
    result.loss -= static_cast<double>(forest.targets[t].weight) * found.log_probs[t];
  }
  for (const Tensor& gradient : gradients_PD) result.gradients.push_back(bench.get(gradient));
  return result;
}

}  // namespace prescript
