#include "model/frozen_weights.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/arena.h"

namespace prescript {
namespace {

// Elements decoded at a time: 4 MB of float32 on the way from the file to the compute dtype.
constexpr int64_t kChunkElements = 1 << 20;

struct LayerNames {
  std::string attention_norm, query, key, value, output, ffn_norm, gate, up, down;
};

/// What the tensors are called in a kind of file.
struct Names {
  bool is_gguf;
  std::string embedding, final_norm, head;
  LayerNames layer(int64_t index) const {
    const std::string n = std::to_string(index);
    if (is_gguf) {
      const std::string p = "blk." + n + ".";
      return {p + "attn_norm.weight",
              p + "attn_q.weight",
              p + "attn_k.weight",
              p + "attn_v.weight",
              p + "attn_output.weight",
              p + "ffn_norm.weight",
              p + "ffn_gate.weight",
              p + "ffn_up.weight",
              p + "ffn_down.weight"};
    }
    const std::string p = "model.layers." + n + ".";
    return {p + "input_layernorm.weight",
            p + "self_attn.q_proj.weight",
            p + "self_attn.k_proj.weight",
            p + "self_attn.v_proj.weight",
            p + "self_attn.o_proj.weight",
            p + "post_attention_layernorm.weight",
            p + "mlp.gate_proj.weight",
            p + "mlp.up_proj.weight",
            p + "mlp.down_proj.weight"};
  }
};

Names names_of(const TensorSource& source) {
  if (source.find("token_embd.weight") != nullptr) {
    return {true, "token_embd.weight", "output_norm.weight", "output.weight"};
  }
  return {false, "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"};
}

FrozenWeights lay_out(Arena& arena, const DecoderConfig& config, DType dtype) {
  FrozenWeights weights;
  weights.dtype = dtype;
  const int64_t D = config.hidden_size;
  const int64_t F = config.feed_forward_size;
  const int64_t HE = config.query_size();
  const int64_t KE = config.kv_size();
  weights.embedding_VD = arena.take_weight(config.vocabulary_size, D, dtype);
  weights.layers.resize(config.num_layers);
  for (LayerWeights& layer : weights.layers) {
    layer.attention_norm_D = arena.take(1, D, dtype);
    if (&layer == &weights.layers.back()) {
      layer.query_weight = arena.take_weight(HE, D, dtype);
      layer.key_value_weight = arena.take_weight(2 * KE, D, dtype);
    } else {
      layer.qkv_weight = arena.take_weight(HE + 2 * KE, D, dtype);
    }
    layer.output_weight = arena.take_weight(D, HE, dtype);
    layer.ffn_norm_D = arena.take(1, D, dtype);
    layer.gate_up_weight = arena.take_weight(2 * F, D, dtype);
    layer.down_weight = arena.take_weight(D, F, dtype);
  }
  weights.final_norm_D = arena.take(1, D, dtype);
  weights.head_VD =
      config.tied_head ? weights.embedding_VD : arena.take_weight(config.vocabulary_size, D, dtype);
  return weights;
}

/// A stored tensor, and what it fills: a norm, or rows of a weight.
struct StoredWeight {
  std::string name;
  Tensor norm;
  Weight weight;
  int64_t begin = 0;  // in the weight
  int64_t num_rows = 1;
  bool is_rotated = false;  // a query or key projection

  int64_t cols() const { return norm.rows > 0 ? norm.cols : weight.cols; }
};

StoredWeight stored_norm(std::string name, Tensor norm) {
  return {.name = std::move(name), .norm = norm, .weight = {}};
}

StoredWeight stored_rows(std::string name, Weight weight, int64_t begin, int64_t num_rows) {
  return {std::move(name), {}, weight, begin, num_rows};
}

StoredWeight stored_weight(std::string name, Weight weight) {
  return stored_rows(std::move(name), weight, 0, weight.rows);
}

StoredWeight rotated_rows(std::string name, Weight weight, int64_t begin, int64_t num_rows) {
  StoredWeight stored = stored_rows(std::move(name), weight, begin, num_rows);
  stored.is_rotated = true;
  return stored;
}

/// All that a decoder reads.
std::vector<StoredWeight> stored_weights(const FrozenWeights& weights,
                                         const DecoderConfig& config,
                                         const Names& names) {
  const int64_t HE = config.query_size();
  const int64_t KE = config.kv_size();
  const int64_t F = config.feed_forward_size;
  std::vector<StoredWeight> stored = {stored_weight(names.embedding, weights.embedding_VD),
                                      stored_norm(names.final_norm, weights.final_norm_D)};
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const LayerNames name = names.layer(i);
    const LayerWeights& layer = weights.layers[i];
    stored.push_back(stored_norm(name.attention_norm, layer.attention_norm_D));
    const bool is_last = i + 1 == config.num_layers;
    const Weight& keys_in = is_last ? layer.key_value_weight : layer.qkv_weight;
    const int64_t keys_begin = is_last ? 0 : HE;
    stored.push_back(
        rotated_rows(name.query, is_last ? layer.query_weight : layer.qkv_weight, 0, HE));
    stored.push_back(rotated_rows(name.key, keys_in, keys_begin, KE));
    stored.push_back(stored_rows(name.value, keys_in, keys_begin + KE, KE));
    stored.push_back(stored_weight(name.output, layer.output_weight));
    stored.push_back(stored_norm(name.ffn_norm, layer.ffn_norm_D));
    stored.push_back(stored_rows(name.gate, layer.gate_up_weight, 0, F));
    stored.push_back(stored_rows(name.up, layer.gate_up_weight, F, F));
    stored.push_back(stored_weight(name.down, layer.down_weight));
  }
  if (!config.tied_head) stored.push_back(stored_weight(names.head, weights.head_VD));
  return stored;
}

class Loader {
 public:
  Loader(Ops& ops, const TensorSource& source, const DecoderConfig& config, const Names& names)
      : ops_(ops), source_(source), config_(config), names_(names) {}

  void read(const StoredWeight& stored) {
    const int64_t cols = stored.cols();
    // Whole heads, so that a rotary pair is in one chunk.
    const int64_t multiple = stored.is_rotated ? config_.head_size : 1;
    const int64_t chunk = std::max<int64_t>(1, kChunkElements / cols / multiple) * multiple;
    for (int64_t begin = 0; begin < stored.num_rows; begin += chunk) {
      const int64_t rows = std::min(chunk, stored.num_rows - begin);
      buffer_.resize(static_cast<size_t>(rows * cols));
      source_.read(stored.name, begin, begin + rows, 0, cols, buffer_.data());
      if (stored.is_rotated && names_.is_gguf) split_pairs(cols);
      if (stored.norm.rows > 0) {
        ops_.upload(buffer_.data(), stored.norm);
      } else {
        ops_.lay_out(buffer_.data(), stored.begin + begin, rows, stored.weight);
      }
    }
  }

 private:
  /// llama.cpp's converter stores element i and i + E/2 of a head, a rotary pair, side by side
  /// (rows 2i and 2i + 1). Puts the rows of the buffer's heads back.
  void split_pairs(int64_t cols) {
    const int64_t E = config_.head_size;
    head_.resize(static_cast<size_t>(E * cols));
    for (auto row = buffer_.begin(); row != buffer_.end(); row += E * cols) {
      std::copy_n(row, E * cols, head_.begin());
      for (int64_t i = 0; i < E; ++i) {
        const int64_t half_split = i / 2 + (i % 2) * (E / 2);
        std::copy_n(head_.begin() + i * cols, cols, row + half_split * cols);
      }
    }
  }

  Ops& ops_;
  const TensorSource& source_;
  const DecoderConfig& config_;
  const Names& names_;
  std::vector<float> buffer_;
  std::vector<float> head_;
};

std::string extents(int64_t rows, int64_t cols) {
  return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

[[noreturn]] void refuse(const TensorSource& source,
                         const std::string& name,
                         const std::string& message) {
  throw InputError(ExitCode::kModel, source.path() + ": tensor " + name + " " + message);
}

}  // namespace

size_t weight_bytes(const DecoderConfig& config, DType dtype) {
  Arena measuring;
  lay_out(measuring, config, dtype);
  return measuring.used();
}

void check_weights(const TensorSource& source, const DecoderConfig& config) {
  const Names names = names_of(source);
  Arena measuring;
  const FrozenWeights weights = lay_out(measuring, config, DType::kFloat32);
  std::set<std::string> known;
  for (const StoredWeight& stored : stored_weights(weights, config, names)) {
    const TensorInfo* info = source.find(stored.name);
    if (info == nullptr) refuse(source, stored.name, "is missing");
    if (info->rows() != stored.num_rows || info->cols() != stored.cols()) {
      refuse(source,
             stored.name,
             "is " + extents(info->rows(), info->cols()) + "; the configuration asks for " +
                 extents(stored.num_rows, stored.cols()));
    }
    if (!info->is_readable) {
      refuse(source,
             stored.name,
             "is stored as " + info->stored_type +
                 ", which is not readable; convert it to F32, F16 or BF16");
    }
    known.insert(stored.name);
  }
  // A tensor that nothing reads would change the model's output if the layer function knew it.
  for (const TensorInfo& info : source.list()) {
    const bool is_tied_copy = config.tied_head && info.name == names.head;
    const bool is_rotary_table = info.name.ends_with("rotary_emb.inv_freq");
    if (known.contains(info.name) || is_tied_copy || is_rotary_table) continue;
    refuse(source, info.name, "belongs to a variant of the architecture that is not implemented");
  }
}

FrozenWeights load_weights(Ops& ops,
                           const TensorSource& source,
                           const DecoderConfig& config,
                           DType dtype) {
  check_weights(source, config);
  const size_t bytes = weight_bytes(config, dtype);
  Buffer block = ops.allocate(bytes);
  Arena arena(block.get(), bytes);
  FrozenWeights weights = lay_out(arena, config, dtype);
  weights.block = std::move(block);
  weights.bytes = bytes;
  const Names names = names_of(source);
  Loader loader(ops, source, config, names);
  for (const StoredWeight& stored : stored_weights(weights, config, names)) loader.read(stored);
  return weights;
}

}  // namespace prescript
