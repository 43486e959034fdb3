#include "random_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "base/random.h"

namespace prescript::bench {
namespace {

constexpr DType kDtype = DType::kBFloat16;

float deviation_of(int64_t cols) {
  return 1 / std::sqrt(static_cast<float>(cols));
}

size_t index_of(Projection which) {
  return static_cast<size_t>(which);
}

/// What both have in common: norms of one, and an embedding in bfloat16.
class Weights : public FrozenWeights {
 public:
  Weights(CardBench& bench, const DecoderConfig& config)
      : bench_(bench),
        config_(config),
        stored_(config, FileKind{}),
        norm_D_(bench.tensor(1, config.hidden_size, DType::kFloat32)),
        embedding_VD_(bench.weight(config.vocabulary_size, config.hidden_size, kDtype, 1)) {
    const std::vector<float> ones(static_cast<size_t>(config.hidden_size), 1.0F);
    bench.ops().upload(ones.data(), norm_D_);
    bytes_ = embedding_VD_.bytes();
  }

  DType dtype() const override { return kDtype; }
  size_t bytes() const override { return bytes_; }
  Tensor vector(int64_t /*layer*/, LayerVector which) const override {
    const bool has = which == LayerVector::kAttentionNorm || which == LayerVector::kFeedForwardNorm;
    return has ? norm_D_ : Tensor{};
  }
  Tensor final_norm_D() const override { return norm_D_; }
  Tensor final_norm_bias_D() const override { return {}; }
  Tensor positions_PD() const override { return {}; }

  void embed(std::span<const Tensor> prompts_PD, std::span<const Row> rows, Tensor x_ND) override {
    bench_.ops().embed(embedding_VD_, config_.embedding_scale(), prompts_PD, rows, x_ND);
  }

 protected:
  CardBench& bench_;
  const DecoderConfig config_;
  const StoredWeights stored_;  // their extents
  size_t bytes_ = 0;

 private:
  Tensor norm_D_;
  Weight embedding_VD_;
};

class RandomWeights final : public Weights {
 public:
  RandomWeights(CardBench& bench, const DecoderConfig& config) : Weights(bench, config) {
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      auto& weights = layers_.emplace_back();
      for (const Projection which : projections_of(config, layer)) {
        const StoredWeight stored = stored_.projection(layer, which);
        weights[index_of(which)] = make(stored.rows(), stored.cols);
      }
    }
    head_VD_ = make(config.vocabulary_size, config.hidden_size);
  }

  Weight projection(int64_t layer, Projection which) override {
    return layers_[layer][index_of(which)];
  }

  WeightRows head_VD() override { return head_VD_; }

 private:
  Weight make(int64_t rows, int64_t cols) {
    const Weight weight = bench_.weight(rows, cols, kDtype, deviation_of(cols));
    bytes_ += weight.bytes();
    return weight;
  }

  std::vector<std::array<Weight, kNumProjections>> layers_;
  Weight head_VD_;
};

/// GGUF's Q4_K: 256 elements in 144 bytes.
constexpr uint32_t kQ4K = 12;
constexpr int64_t kBlockElements = 256;
constexpr int64_t kBlockBytes = 144;

uint16_t to_half(float x) {  // positive and normal
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>((bits - (112U << 23U)) >> 13U);
}

/// Blocks whose numbers have mean 0 and the given deviation: all scales and minima are 32 steps, so
/// that a number is 32 · d · (q - 7.5).
std::vector<std::byte> random_blocks(int64_t count, float deviation) {
  constexpr float kSteps = 32;
  constexpr float kDeviationOfQ = 4.61F;  // of whole numbers from 0 to 15
  const uint16_t d = to_half(deviation / (kSteps * kDeviationOfQ));
  const uint16_t d_of_minima = to_half(7.5F * deviation / (kSteps * kDeviationOfQ));
  std::vector<std::byte> bytes(static_cast<size_t>(count * kBlockBytes));
  RandomStream stream(1, "blocks");
  for (int64_t block = 0; block < count; ++block) {
    std::byte* const at = bytes.data() + block * kBlockBytes;
    std::memcpy(at, &d, 2);
    std::memcpy(at + 2, &d_of_minima, 2);
    std::fill_n(at + 4, 8, std::byte{0xA0});  // 32, and the high bits of another 32
    for (int i = 16; i < kBlockBytes; ++i) {
      at[i] = static_cast<std::byte>(stream.below(256));
    }
  }
  return bytes;
}

class QuantizedWeights final : public Weights {
 public:
  QuantizedWeights(CardBench& bench, const DecoderConfig& config) : Weights(bench, config) {
    Weight largest{nullptr, kDtype, WeightRows::kMaxRows, config.hidden_size};
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      auto& blocks = layers_.emplace_back();
      for (const Projection which : projections_of(config, layer)) {
        const StoredWeight stored = stored_.projection(layer, which);
        blocks[index_of(which)] = make(stored.rows(), stored.cols);
        const Weight weight{nullptr, kDtype, stored.rows(), stored.cols};
        if (weight.bytes() > largest.bytes()) largest = weight;
      }
    }
    head_ = make(config.vocabulary_size, config.hidden_size);
    scratch_ = bench.take(largest.bytes());
    bytes_ += largest.bytes();
  }

  Weight projection(int64_t layer, Projection which) override {
    const StoredWeight stored = stored_.projection(layer, which);
    return laid_out(layers_[layer][index_of(which)], stored.rows(), stored.cols);
  }

  WeightRows head_VD() override {
    const int64_t cols = config_.hidden_size;
    return WeightRows({nullptr, kDtype, config_.vocabulary_size, cols},
                      [this, cols](int64_t begin, int64_t count) {
                        return laid_out(head_ + bytes_of(begin, cols), count, cols);
                      });
  }

 private:
  static int64_t bytes_of(int64_t rows, int64_t cols) {
    return rows * cols / kBlockElements * kBlockBytes;
  }

  std::byte* make(int64_t rows, int64_t cols) {
    const int64_t bytes = bytes_of(rows, cols);
    if (cols != made_for_) {
      pattern_ = random_blocks(kPatternBlocks, deviation_of(cols));
      made_for_ = cols;
    }
    const auto pattern_bytes = static_cast<int64_t>(pattern_.size());
    auto* const blocks = static_cast<std::byte*>(bench_.take(static_cast<size_t>(bytes)));
    bench_.device().to_device(
        pattern_.data(), blocks, static_cast<size_t>(std::min(bytes, pattern_bytes)));
    for (int64_t done = pattern_bytes; done < bytes; done *= 2) {
      copy_on_card(blocks,
                   blocks + done,
                   static_cast<size_t>(std::min(done, bytes - done)),
                   bench_.stream());
    }
    bytes_ += static_cast<size_t>(bytes);
    return blocks;
  }

  Weight laid_out(const std::byte* blocks, int64_t rows, int64_t cols) {
    const Weight weight{scratch_, kDtype, rows, cols};
    cuda::dequantize(
        kQ4K, blocks, {scratch_, kDtype, rows, cols, weight.row_size()}, bench_.stream());
    return weight;
  }

  static constexpr int64_t kPatternBlocks = 1 << 14;

  std::vector<std::byte> pattern_;
  int64_t made_for_ = 0;  // columns
  std::vector<std::array<std::byte*, kNumProjections>> layers_;
  std::byte* head_ = nullptr;
  void* scratch_ = nullptr;
};

/// A model whose layers are all the same: tensors of bfloat16 that share their memory where only
/// their layer differs.
class RepeatedTensors final : public TensorSource {
 public:
  explicit RepeatedTensors(const DecoderConfig& config) {
    const StoredWeights stored(config, {.is_gguf = false, .prefix = "model."});
    const auto add_weight = [&](const StoredWeight& weight) {
      for (const StoredRows& rows : weight.tensors) {
        add(rows.name, {rows.num_rows, weight.cols}, deviation_of(weight.cols), 0);
      }
    };
    const auto add_norm = [&](const StoredVector& norm) {
      add(norm.tensors.front().name, {norm.size()}, 0, 1);
    };
    add_weight(stored.embedding());
    add_weight(stored.head());
    add_norm(stored.final_norm());
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      for (const LayerVector which : vectors_of(config)) add_norm(stored.vector(layer, which));
      for (const Projection which : projections_of(config, layer)) {
        add_weight(stored.projection(layer, which));
      }
    }
  }

  const std::string& path() const override { return path_; }
  std::vector<std::string> files() const override { return {}; }
  const TensorInfo* find(std::string_view name) const override {
    const auto found = infos_.find(name);
    return found == infos_.end() ? nullptr : &found->second;
  }
  std::vector<TensorInfo> list() const override {
    std::vector<TensorInfo> list;
    for (const auto& [name, info] : infos_) list.push_back(info);
    return list;
  }
  int64_t column_alignment(std::string_view /*name*/) const override { return 1; }
  void read(std::string_view name,
            int64_t row_begin,
            int64_t row_end,
            int64_t col_begin,
            int64_t col_end,
            float* out) const override {
    const std::vector<uint16_t>& numbers = numbers_of(name);
    const int64_t cols = find(name)->cols();
    for (int64_t row = row_begin; row < row_end; ++row) {
      for (int64_t col = col_begin; col < col_end; ++col, ++out) {
        const uint32_t bits = uint32_t{numbers[static_cast<size_t>(row * cols + col)]} << 16U;
        std::memcpy(out, &bits, sizeof bits);
      }
    }
  }
  std::optional<StoredBlocks> blocks(std::string_view name) const override {
    const std::vector<uint16_t>& numbers = numbers_of(name);
    const auto size = static_cast<size_t>(find(name)->rows() * find(name)->cols());
    return StoredBlocks{GgmlType::kBF16, std::as_bytes(std::span(numbers).first(size))};
  }
  void release(std::string_view /*name*/) const override {}
  void read_ahead(std::string_view /*name*/) const override {}

 private:
  static constexpr size_t kPattern = 1 << 20;

  static std::string without_layer(std::string_view name) {
    std::string key;
    for (const char letter : name) {
      if (letter < '0' || letter > '9') key += letter;
    }
    return key;
  }

  const std::vector<uint16_t>& numbers_of(std::string_view name) const {
    return numbers_.at(without_layer(name));
  }

  void add(const std::string& name, std::vector<int64_t> shape, float deviation, float mean) {
    TensorInfo info{.name = name, .stored_type = "BF16", .shape = std::move(shape)};
    const auto size = static_cast<size_t>(info.rows() * info.cols());
    info.bytes = 2 * size;
    infos_[name] = info;
    std::vector<uint16_t>& numbers = numbers_[without_layer(name)];
    if (numbers.size() >= size) return;
    RandomStream stream(1, without_layer(name));
    numbers.resize(size);
    for (size_t i = 0; i < std::min(size, kPattern); ++i) {
      const float value = mean + deviation * static_cast<float>(stream.normal());
      uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      numbers[i] = static_cast<uint16_t>(bits >> 16U);
    }
    for (size_t done = kPattern; done < size; done *= 2) {
      std::copy_n(numbers.begin(), std::min(done, size - done), numbers.begin() + done);
    }
  }

  std::string path_ = "random weights";
  std::map<std::string, TensorInfo, std::less<>> infos_;
  std::map<std::string, std::vector<uint16_t>> numbers_;
};

}  // namespace

StreamedRandomWeights::StreamedRandomWeights(CardBench& bench, const DecoderConfig& config)
    : source_(std::make_unique<RepeatedTensors>(config)),
      weights_(load_weights(bench.ops(), *source_, config, kDtype, WeightFormat::kStreamed)) {}

StreamedRandomWeights::~StreamedRandomWeights() = default;

std::unique_ptr<FrozenWeights> random_weights(CardBench& bench, const DecoderConfig& config) {
  return std::make_unique<RandomWeights>(bench, config);
}

std::unique_ptr<FrozenWeights> random_quantized_weights(CardBench& bench,
                                                        const DecoderConfig& config) {
  return std::make_unique<QuantizedWeights>(bench, config);
}

}  // namespace prescript::bench
