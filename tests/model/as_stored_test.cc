// Weights that stay in their file or come from it layer by layer: the bits of a step are those of
// weights converted beforehand.

#include <bit>
#include <cmath>
#include <cstring>
#include <list>

#include <gtest/gtest.h>

#include "io/safetensors.h"
#include "model/batch.h"
#include "model/gguf_bytes.h"
#include "support/temporary_directory.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

constexpr GgmlType kTypes[] = {GgmlType::kF32,
                               GgmlType::kF16,
                               GgmlType::kBF16,
                               GgmlType::kQ4_0,
                               GgmlType::kQ4_1,
                               GgmlType::kQ5_0,
                               GgmlType::kQ5_1,
                               GgmlType::kQ8_0,
                               GgmlType::kQ2_K,
                               GgmlType::kQ3_K,
                               GgmlType::kQ4_K,
                               GgmlType::kQ5_K,
                               GgmlType::kQ6_K};

/// Rows are whole blocks of every type; the vocabulary takes two ranges and a bit.
DecoderConfig config_of_whole_blocks() {
  return {.family = "llama",
          .vocabulary_size = 2 * WeightRows::kMaxRows + 7,
          .hidden_size = 256,
          .feed_forward_size = 256,
          .num_layers = 2,
          .num_heads = 4,
          .num_kv_heads = 2,
          .head_size = 64,
          .rotary_size = 64,
          .max_positions = 512,
          .norm_epsilon = 1e-5,
          .rope = {.theta = 10000},
          .tied_head = false,
          .features = {.interleaved_in_gguf = true}};
}

template <typename T>
void append(const T& value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Where the halves of a block lie, and what makes weights of random bytes: of a tenth, about zero.
struct BlockScales {
  GgmlType type;
  size_t scale_at;
  double scale;
  size_t minimum_at = 0;
  double minimum = 0;  // 0: none
};
constexpr BlockScales kScales[] = {{GgmlType::kQ4_0, 0, 0.02},
                                   {GgmlType::kQ4_1, 0, 0.02, 2, -0.15},
                                   {GgmlType::kQ5_0, 0, 0.01},
                                   {GgmlType::kQ5_1, 0, 0.01, 2, -0.15},
                                   {GgmlType::kQ8_0, 0, 0.0015},
                                   {GgmlType::kQ2_K, 80, 0.012, 82, 0.018},
                                   {GgmlType::kQ3_K, 108, 0.0025},
                                   {GgmlType::kQ4_K, 0, 0.0006, 2, 0.0045},
                                   {GgmlType::kQ5_K, 0, 0.0003, 2, 0.0045},
                                   {GgmlType::kQ6_K, 208, 0.00008}};

void write_half(double value, char* to) {
  const auto half = static_cast<_Float16>(value);
  std::memcpy(to, &half, sizeof half);
}

std::string random_blocks(const BlockScales& scales, int64_t count, RandomStream& stream) {
  const GgmlTypeLayout& layout = layout_of(scales.type);
  std::string bytes;
  for (int64_t i = 0; i < count / layout.block_values; ++i) {
    const size_t block = bytes.size();
    for (int64_t k = 0; k < layout.block_bytes; ++k) {
      bytes.push_back(static_cast<char>(stream.below(256)));
    }
    write_half(scales.scale, &bytes[block + scales.scale_at]);
    if (scales.minimum != 0) write_half(scales.minimum, &bytes[block + scales.minimum_at]);
  }
  return bytes;
}

/// `count` numbers as `type` stores them.
std::string random_bytes(GgmlType type, int64_t count, const std::string& name) {
  RandomStream stream(1, name);
  for (const BlockScales& scales : kScales) {
    if (scales.type == type) return random_blocks(scales, count, stream);
  }
  std::string bytes;
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(0.1 * stream.normal());
    if (type == GgmlType::kF32) append(value, bytes);
    if (type == GgmlType::kF16) append(static_cast<_Float16>(value), bytes);
    if (type == GgmlType::kBF16) {
      append(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16), bytes);
    }
  }
  return bytes;
}

/// Calls `add(name, rows, cols)` for all tensors of a file; vectors have no rows.
template <typename Add>
void for_tensors(const DecoderConfig& config, FileKind kind, const Add& add) {
  const StoredWeights stored(config, kind);
  const auto add_weight = [&](const StoredWeight& weight) {
    for (const StoredRows& tensor : weight.tensors) add(tensor.name, tensor.num_rows, weight.cols);
  };
  const auto add_vector = [&](const StoredVector& vector) {
    add(vector.tensors.front().name, int64_t{0}, vector.size());
  };
  add_weight(stored.embedding());
  if (!config.tied_head) add_weight(stored.head());
  add_vector(stored.final_norm());
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    for (const LayerVector which : vectors_of(config)) add_vector(stored.vector(layer, which));
    for (const Projection which : projections_of(config, layer)) {
      add_weight(stored.projection(layer, which));
    }
  }
}

std::string ones(int64_t count) {
  std::string bytes;
  for (int64_t i = 0; i < count; ++i) append(1.0F, bytes);
  return bytes;
}

std::unique_ptr<TensorSource> gguf_of(GgmlType type,
                                      const DecoderConfig& config,
                                      const TemporaryDirectory& dir) {
  GgufBytes file;
  for_tensors(
      config,
      FileKind{.is_gguf = true, .prefix = ""},
      [&](const std::string& name, int64_t rows, int64_t cols) {
        const auto D = static_cast<uint64_t>(cols);
        if (rows == 0) return file.set_tensor(name, {D}, GgmlType::kF32, ones(cols));
        file.set_tensor(
            name, {static_cast<uint64_t>(rows), D}, type, random_bytes(type, rows * cols, name));
      });
  return open_gguf_tensors(GgufFile::open(dir.write("model.gguf", file.bytes())));
}

std::unique_ptr<TensorSource> safetensors_of(GgmlType type,
                                             const DecoderConfig& config,
                                             const TemporaryDirectory& dir) {
  std::vector<SafetensorsTensor> tensors;
  std::list<std::string> data;
  for_tensors(
      config,
      FileKind{.is_gguf = false, .prefix = "model."},
      [&](const std::string& name, int64_t rows, int64_t cols) {
        const bool is_norm = rows == 0;
        data.push_back(is_norm ? ones(cols) : random_bytes(type, rows * cols, name));
        tensors.push_back({name,
                           is_norm ? "F32" : layout_of(type).name,
                           is_norm ? std::vector<int64_t>{cols} : std::vector<int64_t>{rows, cols},
                           std::as_bytes(std::span(data.back()))});
      });
  dir.write("model.safetensors", safetensors_file_bytes(tensors));
  return open_safetensors_directory(dir.path());
}

void expect_same_bits(const TensorSource& source, const DecoderConfig& config, DType dtype) {
  const Batch batch =
      three_level_batch({.hidden_size = config.hidden_size,
                         .vocabulary_size = static_cast<int32_t>(config.vocabulary_size)});
  // Several passes, and layers that are computed twice.
  const auto step = [&](WeightFormat format, int64_t rows_together) {
    const StepOptions options{
        .forest = {}, .plan = {.max_rows = 40, .kept_layers = 1, .rows_together = rows_together}};
    const Backend backend{"cpu", [] { return make_cpu_ops(2); }, dtype};
    return TinyDecoder(backend, config, source, format)
        .differentiate(batch.sequences, batch.prompts, options);
  };
  const StepResult converted = step(WeightFormat::kConverted, 0);
  for (const auto& [format, rows_together] : {std::pair{WeightFormat::kAsStored, 0},
                                              {WeightFormat::kStreamed, 0},
                                              {WeightFormat::kStreamed, 100}}) {
    const StepResult found = step(format, rows_together);
    EXPECT_EQ(found.log_probs, converted.log_probs);
    for (size_t p = 0; p < converted.gradients.size(); ++p) {
      EXPECT_EQ(found.gradients[p].values, converted.gradients[p].values);
    }
  }
  for (size_t p = 0; p < converted.gradients.size(); ++p) {
    double squares = 0;
    for (const double value : converted.gradients[p].values) squares += value * value;
    EXPECT_TRUE(std::isfinite(squares));
    EXPECT_GT(squares, 0);
  }
}

class AsStored : public testing::TestWithParam<GgmlType> {};
INSTANTIATE_TEST_SUITE_P(Every, AsStored, testing::ValuesIn(kTypes), [](const auto& test) {
  return std::string(layout_of(test.param).name);
});

TEST_P(AsStored, GivesTheBitsOfConvertedWeights) {
  const DecoderConfig config = config_of_whole_blocks();
  const TemporaryDirectory dir;
  const auto source = gguf_of(GetParam(), config, dir);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    expect_same_bits(*source, config, dtype);
  }
}

TEST(AsStoredSafetensors, GiveTheBitsOfConvertedWeights) {
  DecoderConfig config = config_of_whole_blocks();
  config.tied_head = true;
  for (const GgmlType type : {GgmlType::kF32, GgmlType::kF16, GgmlType::kBF16}) {
    const TemporaryDirectory dir;
    const auto source = safetensors_of(type, config, dir);
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      expect_same_bits(*source, config, dtype);
    }
  }
}

}  // namespace
}  // namespace prescript
