// Compiled with -ffp-contract=off: fused multiply-adds would change bits that are promised to equal
// gguf's. The layouts are those of ggml-quants.c; the order of operations is that of gguf-py's
// quants.py.

#include "io/gguf_quantization.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace prescript {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian");

constexpr int kSuperBlock = 256;  // values in a block of the K types

uint16_t load_u16(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7FFFu;
  if (magnitude >= 0x7C00u)  // infinity or not a number
    return std::bit_cast<float>(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13);
  if (magnitude < 0x0400u)  // subnormal: a multiple of 2^-24
    return std::bit_cast<float>(sign |
                                std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f));
  return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
}

float load_half(const uint8_t* bytes) {
  return half_to_float(load_u16(bytes));
}

void decode_f32(const uint8_t* block, float* y) {
  std::memcpy(y, block, sizeof(float));
}

void decode_f16(const uint8_t* block, float* y) {
  *y = load_half(block);
}

void decode_bf16(const uint8_t* block, float* y) {
  *y = std::bit_cast<float>(uint32_t{load_u16(block)} << 16);
}

void decode_q4_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const uint8_t* q = block + 2;
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((q[i] & 15) - 8);
    y[i + 16] = d * static_cast<float>((q[i] >> 4) - 8);
  }
}

void decode_q4_1(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float m = load_half(block + 2);
  const uint8_t* q = block + 4;
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(q[i] & 15) + m;
    y[i + 16] = d * static_cast<float>(q[i] >> 4) + m;
  }
}

/// The 32 five-bit numbers of Q5_0 and Q5_1: low four bits as in Q4, the fifth in a bit field
/// before them.
int five_bits(const uint8_t* high, const uint8_t* low, int i) {
  const int low_bits = i < 16 ? low[i] & 15 : low[i - 16] >> 4;
  return low_bits | (high[i / 8] >> i % 8 & 1) << 4;
}

void decode_q5_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i)
    y[i] = d * static_cast<float>(five_bits(block + 2, block + 6, i) - 16);
}

void decode_q5_1(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float m = load_half(block + 2);
  for (int i = 0; i < 32; ++i)
    y[i] = d * static_cast<float>(five_bits(block + 4, block + 8, i)) + m;
}

void decode_q8_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

/// The two-bit number of value `i` in Q2_K and Q3_K, and the upper two bits in Q6_K.
int two_bits(const uint8_t* q, int i) {
  return q[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
}

/// Bit `i / 32` of byte `i % 32`: the uppermost bit in Q3_K and Q5_K.
int one_bit(const uint8_t* q, int i) {
  return q[i % 32] >> i / 32 & 1;
}

void decode_q2_k(const uint8_t* block, float* y) {
  const uint8_t* scales = block;
  const uint8_t* q = block + 16;
  const float d = load_half(block + 80);
  const float d_min = load_half(block + 82);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = d * static_cast<float>(scales[i / 16] & 15);
    const float minimum = d_min * static_cast<float>(scales[i / 16] >> 4);
    y[i] = scale * static_cast<float>(two_bits(q, i)) - minimum;
  }
}

void decode_q3_k(const uint8_t* block, float* y) {
  const uint8_t* high = block;
  const uint8_t* q = block + 32;
  const uint8_t* scales = block + 96;
  const float d = load_half(block + 108);
  for (int group = 0; group < 16; ++group) {
    const int low_bits = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
    const int high_bits = scales[8 + group % 4] >> group / 4 * 2 & 3;
    const float scale = d * static_cast<float>((low_bits | high_bits << 4) - 32);
    for (int i = group * 16; i < group * 16 + 16; ++i)
      y[i] = scale * static_cast<float>(two_bits(q, i) - (one_bit(high, i) ? 0 : 4));
  }
}

/// The six-bit scale and minimum of run `run` of 32 values in Q4_K and Q5_K.
struct ScaleAndMinimum {
  float scale, minimum;
};
ScaleAndMinimum scale_and_minimum(const uint8_t* packed, int run) {
  if (run < 4)
    return {static_cast<float>(packed[run] & 63), static_cast<float>(packed[run + 4] & 63)};
  return {static_cast<float>((packed[run + 4] & 15) | (packed[run - 4] >> 2 & 0x30)),
          static_cast<float>(packed[run + 4] >> 4 | (packed[run] >> 2 & 0x30))};
}

/// The four-bit number of value `i` in Q4_K and Q5_K.
int four_bits(const uint8_t* q, int i) {
  return q[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
}

/// Q4_K; with `high`, the fifth bits, Q5_K.
void decode_q4_or_q5_k(const uint8_t* block, const uint8_t* high, const uint8_t* q, float* y) {
  const float d = load_half(block);
  const float d_min = load_half(block + 2);
  for (int run = 0; run < 8; ++run) {
    const ScaleAndMinimum packed = scale_and_minimum(block + 4, run);
    const float scale = d * packed.scale;
    const float minimum = d_min * packed.minimum;
    for (int i = run * 32; i < run * 32 + 32; ++i) {
      const int fifth_bit = high != nullptr ? one_bit(high, i) << 4 : 0;
      y[i] = scale * static_cast<float>(four_bits(q, i) | fifth_bit) - minimum;
    }
  }
}

void decode_q4_k(const uint8_t* block, float* y) {
  decode_q4_or_q5_k(block, nullptr, block + 16, y);
}

void decode_q5_k(const uint8_t* block, float* y) {
  decode_q4_or_q5_k(block, block + 16, block + 48, y);
}

void decode_q6_k(const uint8_t* block, float* y) {
  const uint8_t* low = block;
  const uint8_t* high = block + 128;
  const uint8_t* scales = block + 192;
  const float d = load_half(block + 208);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int low_bits = low[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[i / 16]));
    y[i] = scale * static_cast<float>((low_bits | two_bits(high, i) << 4) - 32);
  }
}

/// Decodes `num_blocks` blocks; a template, so that the compiler inlines `decode` into the loop.
template <void (*decode)(const uint8_t*, float*)>
void decode_blocks(const uint8_t* bytes,
                   const GgmlTypeLayout& layout,
                   int64_t num_blocks,
                   float* values) {
  for (int64_t i = 0; i < num_blocks; ++i)
    decode(bytes + i * layout.block_bytes, values + i * layout.block_values);
}

struct Type {
  GgmlType type;
  GgmlTypeLayout layout;
  void (*decode)(const uint8_t* bytes,
                 const GgmlTypeLayout& layout,
                 int64_t num_blocks,
                 float* values);
};

constexpr Type kTypes[] = {
    {GgmlType::kF32, {"F32", 1, 4}, decode_blocks<decode_f32>},
    {GgmlType::kF16, {"F16", 1, 2}, decode_blocks<decode_f16>},
    {GgmlType::kBF16, {"BF16", 1, 2}, decode_blocks<decode_bf16>},
    {GgmlType::kQ4_0, {"Q4_0", 32, 18}, decode_blocks<decode_q4_0>},
    {GgmlType::kQ4_1, {"Q4_1", 32, 20}, decode_blocks<decode_q4_1>},
    {GgmlType::kQ5_0, {"Q5_0", 32, 22}, decode_blocks<decode_q5_0>},
    {GgmlType::kQ5_1, {"Q5_1", 32, 24}, decode_blocks<decode_q5_1>},
    {GgmlType::kQ8_0, {"Q8_0", 32, 34}, decode_blocks<decode_q8_0>},
    {GgmlType::kQ2_K, {"Q2_K", kSuperBlock, 84}, decode_blocks<decode_q2_k>},
    {GgmlType::kQ3_K, {"Q3_K", kSuperBlock, 110}, decode_blocks<decode_q3_k>},
    {GgmlType::kQ4_K, {"Q4_K", kSuperBlock, 144}, decode_blocks<decode_q4_k>},
    {GgmlType::kQ5_K, {"Q5_K", kSuperBlock, 176}, decode_blocks<decode_q5_k>},
    {GgmlType::kQ6_K, {"Q6_K", kSuperBlock, 210}, decode_blocks<decode_q6_k>},
};

constexpr std::pair<uint32_t, const char*> kUnreadableTypes[] = {
    {9, "Q8_1"},   {15, "Q8_K"},   {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
    {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"},   {22, "IQ2_S"},  {23, "IQ4_XS"},
    {24, "I8"},    {25, "I16"},    {26, "I32"},     {27, "I64"},    {28, "F64"},
    {29, "IQ1_M"}, {34, "TQ1_0"},  {35, "TQ2_0"},   {39, "MXFP4"},  {40, "NVFP4"}};

const Type& entry_of(GgmlType type) {
  for (const Type& entry : kTypes)
    if (entry.type == type) return entry;
  throw ContractError(ggml_type_name(static_cast<uint32_t>(type)) + " cannot be decoded");
}

}  // namespace

const GgmlTypeLayout* find_layout(uint32_t type) {
  for (const Type& entry : kTypes)
    if (static_cast<uint32_t>(entry.type) == type) return &entry.layout;
  return nullptr;
}

std::string ggml_type_name(uint32_t type) {
  if (const GgmlTypeLayout* layout = find_layout(type)) return layout->name;
  for (const auto& [known, name] : kUnreadableTypes)
    if (known == type) return name;
  return "type " + std::to_string(type);
}

const GgmlTypeLayout& layout_of(GgmlType type) {
  return entry_of(type).layout;
}

void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> values) {
  const Type& entry = entry_of(type);
  const auto num_bytes = static_cast<int64_t>(blocks.size());
  const auto num_values = static_cast<int64_t>(values.size());
  const GgmlTypeLayout& layout = entry.layout;
  const int64_t num_blocks = num_bytes / layout.block_bytes;
  PRESCRIPT_CHECK(
      num_bytes % layout.block_bytes == 0 && num_values == num_blocks * layout.block_values,
      std::string(layout.name) + ": " + std::to_string(num_bytes) + " bytes cannot become " +
          std::to_string(num_values) + " values");
  entry.decode(reinterpret_cast<const uint8_t*>(blocks.data()), layout, num_blocks, values.data());
}

}  // namespace prescript
