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
  weights.embedding_VD = arena.take(config.vocabulary_size, D, dtype);
  weights.layers.resize(config.num_layers);
  for (LayerWeights& layer : weights.layers) {
    layer.attention_norm_D = arena.take(1, D, dtype);
    layer.qkv_weight = arena.take(config.query_size() + 2 * config.kv_size(), D, dtype);
    layer.output_weight = arena.take(D, config.query_size(), dtype);
    layer.ffn_norm_D = arena.take(1, D, dtype);
    layer.gate_up_weight = arena.take(2 * F, D, dtype);
    layer.down_weight = arena.take(D, F, dtype);
  }
  weights.final_norm_D = arena.take(1, D, dtype);
  weights.head_VD =
      config.tied_head ? weights.embedding_VD : arena.take(config.vocabulary_size, D, dtype);
  return weights;
}

/// A stored tensor, and the rows of `weights` that it fills.
struct StoredWeight {
  std::string name;
  Tensor weights;
  int64_t begin = 0;
  int64_t num_rows = weights.rows;
  bool is_rotated = false;  // a query or key projection
};

/// All that a decoder reads.
std::vector<StoredWeight> stored_weights(const FrozenWeights& weights,
                                         const DecoderConfig& config,
                                         const Names& names) {
  const int64_t HE = config.query_size();
  const int64_t KE = config.kv_size();
  const int64_t F = config.feed_forward_size;
  std::vector<StoredWeight> stored = {{names.embedding, weights.embedding_VD},
                                      {names.final_norm, weights.final_norm_D}};
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const LayerNames name = names.layer(i);
    const LayerWeights& layer = weights.layers[i];
    stored.push_back({name.attention_norm, layer.attention_norm_D});
    stored.push_back({name.query, layer.qkv_weight, 0, HE, true});
    stored.push_back({name.key, layer.qkv_weight, HE, KE, true});
    stored.push_back({name.value, layer.qkv_weight, HE + KE, KE});
    stored.push_back({name.output, layer.output_weight});
    stored.push_back({name.ffn_norm, layer.ffn_norm_D});
    stored.push_back({name.gate, layer.gate_up_weight, 0, F});
    stored.push_back({name.up, layer.gate_up_weight, F, F});
    stored.push_back({name.down, layer.down_weight});
  }
  if (!config.tied_head) stored.push_back({names.head, weights.head_VD});
  return stored;
}

class Loader {
 public:
  Loader(Ops& ops, const TensorSource& source, const DecoderConfig& config, const Names& names)
      : ops_(ops), source_(source), config_(config), names_(names) {}

  void read(const StoredWeight& stored) {
    const Tensor y = stored.weights.row_range(stored.begin, stored.num_rows);
    if (stored.is_rotated && names_.is_gguf) return read_rotated(stored.name, y);
    const int64_t chunk = std::max<int64_t>(1, kChunkElements / y.cols);
    for (int64_t begin = 0; begin < y.rows; begin += chunk) {
      const int64_t rows = std::min(chunk, y.rows - begin);
      buffer_.resize(static_cast<size_t>(rows * y.cols));
      source_.read(stored.name, begin, begin + rows, 0, y.cols, buffer_.data());
      ops_.upload(buffer_.data(), y.row_range(begin, rows));
    }
  }

 private:
  /// llama.cpp's converter stores element i and i + E/2 of a head, a rotary pair, side by side
  /// (rows 2i and 2i + 1).
  void read_rotated(const std::string& name, Tensor y) {
    const int64_t E = config_.head_size;
    buffer_.resize(static_cast<size_t>(E * y.cols));
    for (int64_t head = 0; head < y.rows; head += E) {
      source_.read(name, head, head + E, 0, y.cols, buffer_.data());
      for (int64_t i = 0; i < E; ++i) {
        const int64_t half_split = i / 2 + (i % 2) * (E / 2);
        ops_.upload(buffer_.data() + i * y.cols, y.row_range(head + half_split, 1));
      }
    }
  }

  Ops& ops_;
  const TensorSource& source_;
  const DecoderConfig& config_;
  const Names& names_;
  std::vector<float> buffer_;
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
    if (info->rows() != stored.num_rows || info->cols() != stored.weights.cols) {
      refuse(source,
             stored.name,
             "is " + extents(info->rows(), info->cols()) + "; the configuration asks for " +
                 extents(stored.num_rows, stored.weights.cols));
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
