#include "model/stored_weight.h"

#include <algorithm>
#include <set>

namespace prescript {
namespace {

/// Where row `row` of half-split heads lies in a tensor of interleaved ones.
int64_t interleaved(int64_t row, int64_t head_size) {
  const int64_t i = row % head_size;
  const int64_t half = head_size / 2;
  return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

std::string extents(int64_t rows, int64_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

[[noreturn]] void refuse(const TensorSource& source,
                         const std::string& name,
                         const std::string& message) {
  throw InputError(ExitCode::kModel, source.path() + ": tensor " + name + " " + message);
}

/// `cols` is 0 of a vector.
void check_tensor(const TensorSource& source, const StoredRows& stored, int64_t cols) {
  const TensorInfo* info = source.find(stored.name);
  if (info == nullptr) refuse(source, stored.name, "is missing");
  const int64_t rows = cols == 0 ? 1 : stored.tensor_rows;
  const int64_t wanted_cols = cols == 0 ? stored.tensor_rows : cols;
  if (info->rows() != rows || info->cols() != wanted_cols) {
    refuse(source,
           stored.name,
           "is " + extents(info->rows(), info->cols()) + "; the configuration asks for " +
               extents(rows, wanted_cols));
  }
  if (!info->is_readable) {
    refuse(source,
           stored.name,
           "is stored as " + info->stored_type +
               ", which is not readable; convert it to F32, F16 or BF16");
  }
}

int64_t sum_of_rows(const std::vector<StoredRows>& tensors) {
  int64_t rows = 0;
  for (const StoredRows& tensor : tensors) rows += tensor.num_rows;
  return rows;
}

}  // namespace

std::vector<Projection> projections_of(const DecoderConfig& config, int64_t layer) {
  if (layer + 1 == config.num_layers) {
    return {Projection::kQuery,
            Projection::kKeyValue,
            Projection::kOutput,
            Projection::kGateUp,
            Projection::kDown};
  }
  return {Projection::kQueryKeyValue, Projection::kOutput, Projection::kGateUp, Projection::kDown};
}

std::vector<LayerVector> vectors_of(const DecoderConfig& config) {
  std::vector<LayerVector> result = {LayerVector::kAttentionNorm, LayerVector::kFeedForwardNorm};
  const auto add = [&](bool is_there, std::initializer_list<LayerVector> vectors) {
    if (is_there) result.insert(result.end(), vectors);
  };
  add(config.query_key_norms, {LayerVector::kQueryNorm, LayerVector::kKeyNorm});
  add(config.query_key_value_bias, {LayerVector::kQueryKeyValueBias});
  add(config.output_bias, {LayerVector::kOutputBias});
  add(config.feed_forward_bias, {LayerVector::kGateUpBias, LayerVector::kDownBias});
  return result;
}

int64_t StoredWeight::rows() const {
  return sum_of_rows(tensors);
}

void StoredWeight::read(const TensorSource& source,
                        int64_t begin,
                        int64_t count,
                        float* rows) const {
  const int64_t end = begin + count;
  int64_t first = 0;  // of the tensor, in the weight
  for (const StoredRows& tensor : tensors) {
    const int64_t from = std::max(begin, first) - first;
    const int64_t to = std::min(end, first + tensor.num_rows) - first;
    first += tensor.num_rows;
    if (from >= to) continue;
    if (tensor.interleaved_head_size == 0) {
      source.read(tensor.name, tensor.first_row + from, tensor.first_row + to, 0, cols, rows);
      rows += (to - from) * cols;
      continue;
    }
    for (int64_t row = from; row < to; ++row, rows += cols) {
      const int64_t stored = interleaved(row, tensor.interleaved_head_size);
      source.read(tensor.name, stored, stored + 1, 0, cols, rows);
    }
  }
}

void StoredWeight::release(const TensorSource& source) const {
  for (const StoredRows& tensor : tensors) source.release(tensor.name);
}

int64_t StoredVector::size() const {
  return sum_of_rows(tensors);
}

std::vector<float> StoredVector::read(const TensorSource& source) const {
  std::vector<float> result;
  for (const StoredRows& tensor : tensors) {
    const std::vector<float> stored = source.read_all(tensor.name);
    for (int64_t i = 0; i < tensor.num_rows; ++i) {
      const int64_t from = tensor.interleaved_head_size == 0
                               ? tensor.first_row + i
                               : interleaved(i, tensor.interleaved_head_size);
      result.push_back(stored[static_cast<size_t>(from)]);
    }
  }
  return result;
}

FileKind kind_of(const TensorSource& source) {
  const bool is_gguf = source.find("token_embd.weight") != nullptr;
  return is_gguf ? FileKind::kGguf : FileKind::kHuggingFace;
}

std::string StoredWeights::in_layer(int64_t layer, const char* gguf, const char* hf) const {
  const std::string index = std::to_string(layer);
  return is_gguf_ ? "blk." + index + "." + gguf + "." : "model.layers." + index + "." + hf + ".";
}

StoredWeight StoredWeights::embedding() const {
  const char* const name = is_gguf_ ? "token_embd.weight" : "model.embed_tokens.weight";
  return {{{name, config_.vocabulary_size}}, config_.hidden_size};
}

StoredWeight StoredWeights::head() const {
  if (config_.tied_head) return embedding();
  const char* const name = is_gguf_ ? "output.weight" : "lm_head.weight";
  return {{{name, config_.vocabulary_size}}, config_.hidden_size};
}

StoredVector StoredWeights::final_norm() const {
  return {{{is_gguf_ ? "output_norm.weight" : "model.norm.weight", config_.hidden_size}}};
}

std::vector<StoredRows> StoredWeights::query_key_value(int64_t layer,
                                                       const std::string& kind) const {
  const int64_t HE = config_.query_size();
  const int64_t KE = config_.kv_size();
  if (config_.fused_tensors) {
    const std::string name = in_layer(layer, "attn_qkv", "self_attn.qkv_proj") + kind;
    const int64_t all = HE + 2 * KE;
    return {{.name = name, .num_rows = HE, .tensor_rows = all},
            {.name = name, .num_rows = KE, .first_row = HE, .tensor_rows = all},
            {.name = name, .num_rows = KE, .first_row = HE + KE, .tensor_rows = all}};
  }
  const int64_t head_size = is_gguf_ && config_.interleaved_in_gguf ? config_.head_size : 0;
  return {{in_layer(layer, "attn_q", "self_attn.q_proj") + kind, HE, head_size},
          {in_layer(layer, "attn_k", "self_attn.k_proj") + kind, KE, head_size},
          {in_layer(layer, "attn_v", "self_attn.v_proj") + kind, KE}};
}

std::vector<StoredRows> StoredWeights::gate_up(int64_t layer, const std::string& kind) const {
  const int64_t F = config_.feed_forward_size;
  if (config_.fused_tensors) return {{in_layer(layer, "ffn_up", "mlp.gate_up_proj") + kind, 2 * F}};
  return {{in_layer(layer, "ffn_gate", "mlp.gate_proj") + kind, F},
          {in_layer(layer, "ffn_up", "mlp.up_proj") + kind, F}};
}

StoredVector StoredWeights::vector(int64_t layer, LayerVector which) const {
  const int64_t D = config_.hidden_size;
  const int64_t E = config_.head_size;
  switch (which) {
    case LayerVector::kAttentionNorm:
      return {{{in_layer(layer, "attn_norm", "input_layernorm") + "weight", D}}};
    case LayerVector::kFeedForwardNorm:
      return {{{in_layer(layer, "ffn_norm", "post_attention_layernorm") + "weight", D}}};
    case LayerVector::kQueryNorm:
      return {{{in_layer(layer, "attn_q_norm", "self_attn.q_norm") + "weight", E}}};
    case LayerVector::kKeyNorm:
      return {{{in_layer(layer, "attn_k_norm", "self_attn.k_norm") + "weight", E}}};
    case LayerVector::kQueryKeyValueBias:
      return {query_key_value(layer, "bias")};
    case LayerVector::kOutputBias:
      return {{{in_layer(layer, "attn_output", "self_attn.o_proj") + "bias", D}}};
    case LayerVector::kGateUpBias:
      return {gate_up(layer, "bias")};
    case LayerVector::kDownBias:
      return {{{in_layer(layer, "ffn_down", "mlp.down_proj") + "bias", D}}};
  }
  throw ContractError("unknown vector");
}

StoredWeight StoredWeights::projection(int64_t layer, Projection which) const {
  const int64_t D = config_.hidden_size;
  const auto qkv = query_key_value(layer, "weight");
  switch (which) {
    case Projection::kQueryKeyValue:
      return {qkv, D};
    case Projection::kQuery:
      return {{qkv[0]}, D};
    case Projection::kKeyValue:
      return {{qkv[1], qkv[2]}, D};
    case Projection::kOutput:
      return {{{in_layer(layer, "attn_output", "self_attn.o_proj") + "weight", D}},
              config_.query_size()};
    case Projection::kGateUp:
      return {gate_up(layer, "weight"), D};
    case Projection::kDown:
      return {{{in_layer(layer, "ffn_down", "mlp.down_proj") + "weight", D}},
              config_.feed_forward_size};
  }
  throw ContractError("unknown projection");
}

void check_weights(const TensorSource& source, const DecoderConfig& config) {
  const StoredWeights weights(config, kind_of(source));
  std::set<std::string> known;
  const auto check = [&](const std::vector<StoredRows>& tensors, int64_t cols) {
    for (const StoredRows& tensor : tensors) {
      check_tensor(source, tensor, cols);
      known.insert(tensor.name);
    }
  };
  for (const StoredWeight& weight : {weights.embedding(), weights.head()}) {
    check(weight.tensors, weight.cols);
  }
  check(weights.final_norm().tensors, 0);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (const LayerVector which : vectors_of(config)) {
      check(weights.vector(layer, which).tensors, 0);
    }
    for (const Projection which : projections_of(config, layer)) {
      const StoredWeight weight = weights.projection(layer, which);
      check(weight.tensors, weight.cols);
    }
  }
  DecoderConfig untied = config;
  untied.tied_head = false;
  const std::string head = StoredWeights(untied, kind_of(source)).head().tensors.front().name;
  // A tensor that nothing reads would change the model's output if the layer function knew it.
  for (const TensorInfo& info : source.list()) {
    const bool is_tied_copy = config.tied_head && info.name == head;
    // The configuration has read them, or they follow from it.
    const bool is_rotary_table = info.name.ends_with("rotary_emb.inv_freq") ||
                                 info.name == "rope_freqs.weight" ||
                                 info.name.starts_with("rope_factors_");
    if (known.contains(info.name) || is_tied_copy || is_rotary_table) continue;
    refuse(source, info.name, "belongs to a variant of the architecture that is not implemented");
  }
}

}  // namespace prescript
