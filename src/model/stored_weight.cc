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

void check_tensor(const TensorSource& source, const StoredRows& stored, int64_t cols) {
  const TensorInfo* info = source.find(stored.name);
  if (info == nullptr) refuse(source, stored.name, "is missing");
  if (info->rows() != stored.num_rows || info->cols() != cols) {
    refuse(source,
           stored.name,
           "is " + extents(info->rows(), info->cols()) + "; the configuration asks for " +
               extents(stored.num_rows, cols));
  }
  if (!info->is_readable) {
    refuse(source,
           stored.name,
           "is stored as " + info->stored_type +
               ", which is not readable; convert it to F32, F16 or BF16");
  }
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

int64_t StoredWeight::rows() const {
  int64_t rows = 0;
  for (const StoredRows& tensor : tensors) rows += tensor.num_rows;
  return rows;
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
      source.read(tensor.name, from, to, 0, cols, rows);
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

FileKind kind_of(const TensorSource& source) {
  const bool is_gguf = source.find("token_embd.weight") != nullptr;
  return is_gguf ? FileKind::kGguf : FileKind::kHuggingFace;
}

std::string StoredWeights::in_layer(int64_t layer, const char* gguf, const char* hf) const {
  const std::string index = std::to_string(layer);
  return is_gguf_ ? "blk." + index + "." + gguf + ".weight"
                  : "model.layers." + index + "." + hf + ".weight";
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

StoredWeight StoredWeights::final_norm() const {
  return {{{is_gguf_ ? "output_norm.weight" : "model.norm.weight", 1}}, config_.hidden_size};
}

StoredWeight StoredWeights::attention_norm(int64_t layer) const {
  return {{{in_layer(layer, "attn_norm", "input_layernorm"), 1}}, config_.hidden_size};
}

StoredWeight StoredWeights::ffn_norm(int64_t layer) const {
  return {{{in_layer(layer, "ffn_norm", "post_attention_layernorm"), 1}}, config_.hidden_size};
}

StoredWeight StoredWeights::projection(int64_t layer, Projection which) const {
  const int64_t D = config_.hidden_size;
  const int64_t F = config_.feed_forward_size;
  const int64_t HE = config_.query_size();
  const int64_t KE = config_.kv_size();
  const int64_t interleaved = is_gguf_ ? config_.head_size : 0;
  const StoredRows query = {in_layer(layer, "attn_q", "self_attn.q_proj"), HE, interleaved};
  const StoredRows key = {in_layer(layer, "attn_k", "self_attn.k_proj"), KE, interleaved};
  const StoredRows value = {in_layer(layer, "attn_v", "self_attn.v_proj"), KE};
  switch (which) {
    case Projection::kQueryKeyValue:
      return {{query, key, value}, D};
    case Projection::kQuery:
      return {{query}, D};
    case Projection::kKeyValue:
      return {{key, value}, D};
    case Projection::kOutput:
      return {{{in_layer(layer, "attn_output", "self_attn.o_proj"), D}}, HE};
    case Projection::kGateUp:
      return {{{in_layer(layer, "ffn_gate", "mlp.gate_proj"), F},
               {in_layer(layer, "ffn_up", "mlp.up_proj"), F}},
              D};
    case Projection::kDown:
      return {{{in_layer(layer, "ffn_down", "mlp.down_proj"), D}}, F};
  }
  throw ContractError("unknown projection");
}

void check_weights(const TensorSource& source, const DecoderConfig& config) {
  const StoredWeights weights(config, kind_of(source));
  std::vector<StoredWeight> all = {weights.embedding(), weights.head(), weights.final_norm()};
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    all.push_back(weights.attention_norm(layer));
    all.push_back(weights.ffn_norm(layer));
    for (const Projection which : projections_of(config, layer)) {
      all.push_back(weights.projection(layer, which));
    }
  }
  std::set<std::string> known;
  for (const StoredWeight& weight : all) {
    for (const StoredRows& tensor : weight.tensors) {
      check_tensor(source, tensor, weight.cols);
      known.insert(tensor.name);
    }
  }
  DecoderConfig untied = config;
  untied.tied_head = false;
  const std::string head = StoredWeights(untied, kind_of(source)).head().tensors.front().name;
  // A tensor that nothing reads would change the model's output if the layer function knew it.
  for (const TensorInfo& info : source.list()) {
    const bool is_tied_copy = config.tied_head && info.name == head;
    const bool is_rotary_table = info.name.ends_with("rotary_emb.inv_freq");
    if (known.contains(info.name) || is_tied_copy || is_rotary_table) continue;
    refuse(source, info.name, "belongs to a variant of the architecture that is not implemented");
  }
}

}  // namespace prescript
