#include "model/stored_weight.h"

#include <algorithm>
#include <cstring>
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
  int64_t rows = cols == 0 ? 1 : stored.tensor_rows;
  int64_t wanted_cols = cols == 0 ? stored.tensor_rows : cols;
  if (cols != 0 && stored.is_transposed) std::swap(rows, wanted_cols);
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
  const DecoderFeatures& features = config.features;
  std::vector<LayerVector> result = {LayerVector::kAttentionNorm, LayerVector::kFeedForwardNorm};
  const auto add = [&](bool is_there, std::initializer_list<LayerVector> vectors) {
    if (is_there) result.insert(result.end(), vectors);
  };
  add(features.norm == NormKind::kLayer,
      {LayerVector::kAttentionNormBias, LayerVector::kFeedForwardNormBias});
  add(features.query_key_norms, {LayerVector::kQueryNorm, LayerVector::kKeyNorm});
  add(features.post_norms, {LayerVector::kPostAttentionNorm, LayerVector::kPostFeedForwardNorm});
  add(features.query_key_value_bias, {LayerVector::kQueryKeyValueBias});
  add(features.output_bias, {LayerVector::kOutputBias});
  add(features.feed_forward_bias, {LayerVector::kGateUpBias, LayerVector::kDownBias});
  return result;
}

int64_t StoredRows::stored_row(int64_t row) const {
  if (interleaved_head_size > 0) return interleaved(row, interleaved_head_size);
  if (block_rows > 0) return first_row + row / block_rows * block_stride + row % block_rows;
  return first_row + row;
}

namespace {

/// Rows [begin, end) of a tensor's transpose.
void read_columns(const TensorSource& source,
                  const StoredRows& tensor,
                  int64_t begin,
                  int64_t end,
                  int64_t cols,
                  float* rows) {
  const int64_t count = end - begin;
  std::vector<float> block(static_cast<size_t>(count * cols));
  source.read(tensor.name,
              0,
              cols,
              tensor.stored_row(begin),
              tensor.stored_row(begin) + count,
              block.data());
  for (int64_t c = 0; c < cols; ++c) {
    for (int64_t r = 0; r < count; ++r) rows[r * cols + c] = block[c * count + r];
  }
}

}  // namespace

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
    if (tensor.is_transposed) {
      read_columns(source, tensor, from, to, cols, rows);
      rows += (to - from) * cols;
      continue;
    }
    const int64_t run = tensor.is_run() ? to - from : 1;
    for (int64_t row = from; row < to; row += run, rows += run * cols) {
      const int64_t stored = tensor.stored_row(row);
      source.read(tensor.name, stored, stored + run, 0, cols, rows);
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
      result.push_back(stored[static_cast<size_t>(tensor.stored_row(i))] + offset);
    }
  }
  return result;
}

FileKind kind_of(const TensorSource& source, const DecoderConfig& config) {
  const auto has = [&](const std::string& name) { return source.find(name) != nullptr; };
  if (has("token_embd.weight")) return {.is_gguf = true, .prefix = ""};
  const std::string embedding = std::string(config.features.hf_names->embedding) + ".weight";
  // Of a model by itself; of the text side of one that also sees; of a checkpoint without a head.
  for (const char* prefix : {"model.",
                             "transformer.",
                             "gpt_neox.",
                             "model.language_model.",
                             "language_model.model.",
                             ""}) {
    if (has(prefix + embedding)) return {.is_gguf = false, .prefix = prefix};
  }
  return {.is_gguf = false, .prefix = "model."};
}

const TensorNames& StoredWeights::names() const {
  return kind_.is_gguf ? kGgufNames : *config_.features.hf_names;
}

std::string StoredWeights::full(std::string_view name) const {
  return kind_.prefix + std::string(name);
}

std::string StoredWeights::in_layer(int64_t layer, std::string_view name) const {
  return full(names().layers) + std::to_string(layer) + "." + std::string(name);
}

StoredWeight StoredWeights::embedding() const {
  return {{{full(names().embedding) + ".weight", config_.vocabulary_size}}, config_.hidden_size};
}

StoredWeight StoredWeights::positions() const {
  return {{{full(names().positions) + ".weight", config_.max_positions}}, config_.hidden_size};
}

StoredWeight StoredWeights::head() const {
  if (config_.tied_head) return embedding();
  return {{{std::string(names().head) + ".weight", config_.vocabulary_size}}, config_.hidden_size};
}

StoredVector StoredWeights::norm(std::string name, int64_t size) const {
  const bool is_difference = config_.features.norms_store_difference && !kind_.is_gguf;
  return {{{std::move(name), size}}, is_difference ? 1.0F : 0.0F};
}

StoredVector StoredWeights::final_norm() const {
  return norm(full(names().final_norm) + ".weight", config_.hidden_size);
}

StoredVector StoredWeights::final_norm_bias() const {
  return {{{full(names().final_norm) + ".bias", config_.hidden_size}}};
}

std::vector<StoredRows> StoredWeights::query_key_value(int64_t layer, const char* kind) const {
  const int64_t HE = config_.query_size();
  const int64_t KE = config_.kv_size();
  const int64_t E = config_.head_size;
  if (!config_.features.fused_tensors) {
    const int64_t pairs = kind_.is_gguf && config_.features.interleaved_in_gguf ? E : 0;
    return {{in_layer(layer, names().query) + kind, HE, pairs},
            {in_layer(layer, names().key) + kind, KE, pairs},
            {in_layer(layer, names().value) + kind, KE}};
  }
  const bool by_heads = config_.features.fused_by_heads_in_hf && !kind_.is_gguf;
  StoredRows rows{.name = in_layer(layer, names().query_key_value) + kind,
                  .tensor_rows = HE + 2 * KE,
                  .block_rows = by_heads ? E : 0,
                  .block_stride = by_heads ? 3 * E : 0,
                  .is_transposed = is_transposed()};
  std::vector<StoredRows> result;
  for (const int64_t num_rows : {HE, KE, KE}) {
    rows.num_rows = num_rows;
    result.push_back(rows);
    rows.first_row += by_heads ? E : num_rows;
  }
  return result;
}

std::vector<StoredRows> StoredWeights::gate_up(int64_t layer, const char* kind) const {
  const int64_t F = config_.feed_forward_size;
  if (config_.features.fused_tensors || !config_.features.is_gated) {
    return {{.name = in_layer(layer, names().gate_up) + kind,
             .num_rows = config_.gate_up_size(),
             .is_transposed = is_transposed()}};
  }
  return {{in_layer(layer, names().gate) + kind, F}, {in_layer(layer, names().up) + kind, F}};
}

StoredVector StoredWeights::vector(int64_t layer, LayerVector which) const {
  const int64_t D = config_.hidden_size;
  const int64_t E = config_.head_size;
  const auto weight = [&](std::string_view name) { return in_layer(layer, name) + ".weight"; };
  const auto bias = [&](std::string_view name) {
    return StoredVector{{{in_layer(layer, name) + ".bias", D}}};
  };
  switch (which) {
    case LayerVector::kAttentionNorm:
      return norm(weight(names().attention_norm), D);
    case LayerVector::kAttentionNormBias:
      return bias(names().attention_norm);
    case LayerVector::kFeedForwardNorm:
      return norm(weight(names().feed_forward_norm), D);
    case LayerVector::kFeedForwardNormBias:
      return bias(names().feed_forward_norm);
    case LayerVector::kQueryNorm:
      return norm(weight(names().query_norm), E);
    case LayerVector::kKeyNorm:
      return norm(weight(names().key_norm), E);
    case LayerVector::kPostAttentionNorm:
      return norm(weight(names().post_attention_norm), D);
    case LayerVector::kPostFeedForwardNorm:
      return norm(weight(names().post_feed_forward_norm), D);
    case LayerVector::kQueryKeyValueBias:
      return {query_key_value(layer, ".bias")};
    case LayerVector::kOutputBias:
      return bias(names().output);
    case LayerVector::kGateUpBias:
      return {gate_up(layer, ".bias")};
    case LayerVector::kDownBias:
      return bias(names().down);
  }
  throw ContractError("unknown vector");
}

StoredWeight StoredWeights::matrix(int64_t layer,
                                   std::string_view name,
                                   int64_t rows,
                                   int64_t cols) const {
  return {{{.name = in_layer(layer, name) + ".weight",
            .num_rows = rows,
            .is_transposed = is_transposed()}},
          cols};
}

StoredWeight StoredWeights::projection(int64_t layer, Projection which) const {
  const int64_t D = config_.hidden_size;
  const auto qkv = query_key_value(layer, ".weight");
  switch (which) {
    case Projection::kQueryKeyValue:
      return {qkv, D};
    case Projection::kQuery:
      return {{qkv[0]}, D};
    case Projection::kKeyValue:
      return {{qkv[1], qkv[2]}, D};
    case Projection::kOutput:
      return matrix(layer, names().output, D, config_.query_size());
    case Projection::kGateUp:
      return {gate_up(layer, ".weight"), D};
    case Projection::kDown:
      return matrix(layer, names().down, D, config_.feed_forward_size);
  }
  throw ContractError("unknown projection");
}

namespace {

/// Tensors that the configuration has been read with or follow from it, masks that old checkpoints
/// hold, and the side of a model that sees.
bool is_no_weight(const std::string& name, const DecoderConfig& config) {
  const auto ends = [&](std::string_view end) { return name.ends_with(end); };
  const auto begins = [&](std::string_view begin) { return name.starts_with(begin); };
  if (begins("rope_freqs.weight") || begins("rope_factors_")) return true;
  if (ends("rotary_emb.inv_freq") || ends(".masked_bias")) return true;
  if (config.family == "gpt2" && ends(".attn.bias")) return true;
  if (config.family == "gpt_neox" && ends(".attention.bias")) return true;
  if (config.family != "gemma3") return false;
  return begins("vision_tower.") || begins("model.vision_tower.") ||
         begins("multi_modal_projector.") || begins("model.multi_modal_projector.");
}

bool hold_the_same(const TensorSource& source, const std::string& a, const std::string& b) {
  const TensorInfo& info = *source.find(a);
  const TensorInfo& other = *source.find(b);
  if (info.rows() != other.rows() || info.cols() != other.cols() || !info.is_readable ||
      !other.is_readable) {
    return false;
  }
  constexpr int64_t kRows = 256;
  const auto values = static_cast<size_t>(std::min(kRows, info.rows()) * info.cols());
  std::vector<float> values_of_a(values);
  std::vector<float> values_of_b(values);
  for (int64_t begin = 0; begin < info.rows(); begin += kRows) {
    const int64_t end = std::min(begin + kRows, info.rows());
    const auto count = static_cast<size_t>((end - begin) * info.cols());
    source.read(a, begin, end, 0, info.cols(), values_of_a.data());
    source.read(b, begin, end, 0, info.cols(), values_of_b.data());
    if (std::memcmp(values_of_a.data(), values_of_b.data(), count * sizeof(float)) != 0) {
      return false;
    }
  }
  source.release(a);
  source.release(b);
  return true;
}

}  // namespace

void check_weights(const TensorSource& source, const DecoderConfig& config) {
  const FileKind kind = kind_of(source, config);
  const StoredWeights weights(config, kind);
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
  if (config.features.learned_positions) {
    check(weights.positions().tensors, weights.positions().cols);
  }
  check(weights.final_norm().tensors, 0);
  if (config.features.norm == NormKind::kLayer) check(weights.final_norm_bias().tensors, 0);
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
  const std::string head = StoredWeights(untied, kind).head().tensors.front().name;
  // A tensor that nothing reads would change the model's output if the layer function knew it.
  for (const TensorInfo& info : source.list()) {
    if (known.contains(info.name) || is_no_weight(info.name, config)) continue;
    if (config.tied_head && info.name == head) {
      const std::string embedding = weights.embedding().tensors.front().name;
      if (hold_the_same(source, head, embedding)) continue;
      refuse(source,
             head,
             "is not " + embedding +
                 ", though tie_word_embeddings says so; set it to false in config.json to run the "
                 "head of the file");
    }
    refuse(source, info.name, "belongs to a variant of the architecture that is not implemented");
  }
}

}  // namespace prescript
