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

/// Lays out and loads; the same walk over all tensors measures, and then reads.
class Loader {
 public:
  Loader(Ops& ops, const TensorSource& source, const DecoderConfig& config, DType dtype)
      : ops_(ops), source_(source), config_(config), names_(names_of(source)), dtype_(dtype) {}

  static FrozenWeights lay_out(Arena& arena, const DecoderConfig& config, DType dtype) {
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

  void load(FrozenWeights& weights) {
    read(names_.embedding, weights.embedding_VD);
    for (int64_t i = 0; i < config_.num_layers; ++i) load_layer(names_.layer(i), weights.layers[i]);
    read(names_.final_norm, weights.final_norm_D);
    if (!config_.tied_head) read(names_.head, weights.head_VD);
    refuse_unread();
  }

 private:
  void load_layer(const LayerNames& names, LayerWeights& layer) {
    const int64_t HE = config_.query_size();
    const int64_t KE = config_.kv_size();
    const int64_t F = config_.feed_forward_size;
    read(names.attention_norm, layer.attention_norm_D);
    read_rotated(names.query, layer.qkv_weight.row_range(0, HE));
    read_rotated(names.key, layer.qkv_weight.row_range(HE, KE));
    read(names.value, layer.qkv_weight.row_range(HE + KE, KE));
    read(names.output, layer.output_weight);
    read(names.ffn_norm, layer.ffn_norm_D);
    read(names.gate, layer.gate_up_weight.row_range(0, F));
    read(names.up, layer.gate_up_weight.row_range(F, F));
    read(names.down, layer.down_weight);
  }

  void read(const std::string& name, Tensor y) {
    check(name, y);
    const int64_t chunk = std::max<int64_t>(1, kChunkElements / y.cols);
    for (int64_t begin = 0; begin < y.rows; begin += chunk) {
      const int64_t rows = std::min(chunk, y.rows - begin);
      buffer_.resize(static_cast<size_t>(rows * y.cols));
      source_.read(name, begin, begin + rows, 0, y.cols, buffer_.data());
      ops_.upload(buffer_.data(), y.row_range(begin, rows));
    }
  }

  /// A query or key projection. llama.cpp's converter stores element i and i + E/2 of a head, a
  /// rotary pair, side by side (rows 2i and 2i + 1).
  void read_rotated(const std::string& name, Tensor y) {
    if (!names_.is_gguf) return read(name, y);
    check(name, y);
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

  void check(const std::string& name, const Tensor& y) {
    const TensorInfo* info = source_.find(name);
    if (info == nullptr) {
      throw InputError(ExitCode::kModel, "base model: tensor " + name + " is missing");
    }
    if (info->rows() != y.rows || info->cols() != y.cols) {
      throw InputError(ExitCode::kModel,
                       "base model: tensor " + name + " is [" + std::to_string(info->rows()) +
                           ", " + std::to_string(info->cols()) + "]; the configuration asks for [" +
                           std::to_string(y.rows) + ", " + std::to_string(y.cols) + "]");
    }
    read_.insert(name);
  }

  /// A tensor that nothing reads would change the model's output if the layer function knew it.
  void refuse_unread() const {
    for (const TensorInfo& info : source_.list()) {
      const bool is_tied_copy = config_.tied_head && info.name == names_.head;
      const bool is_rotary_table = info.name.ends_with("rotary_emb.inv_freq");
      if (read_.contains(info.name) || is_tied_copy || is_rotary_table) continue;
      throw InputError(ExitCode::kModel,
                       "base model: tensor " + info.name +
                           " belongs to a variant of the architecture that is not implemented");
    }
  }

  Ops& ops_;
  const TensorSource& source_;
  const DecoderConfig& config_;
  Names names_;
  DType dtype_;
  std::vector<float> buffer_;
  std::set<std::string> read_;
};

}  // namespace

size_t weight_bytes(const DecoderConfig& config, DType dtype) {
  Arena measuring;
  Loader::lay_out(measuring, config, dtype);
  return measuring.used();
}

FrozenWeights load_weights(Ops& ops,
                           const TensorSource& source,
                           const DecoderConfig& config,
                           DType dtype) {
  const size_t bytes = weight_bytes(config, dtype);
  Buffer block = ops.allocate(bytes);
  Arena arena(block.get(), bytes);
  FrozenWeights weights = Loader::lay_out(arena, config, dtype);
  weights.block = std::move(block);
  weights.bytes = bytes;
  Loader(ops, source, config, dtype).load(weights);
  return weights;
}

}  // namespace prescript
