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

inline uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// Without a branch, so that loops over it become vector instructions.
inline float half_to_float(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const int32_t magnitude = half & 0x7FFF;
  // Subnormal: a multiple of 2^-24.
  const auto subnormal = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  const uint32_t shifted = static_cast<uint32_t>(magnitude) << 13;
  // The exponent of an infinity, and of what is not a number, is the largest in either format.
  const uint32_t normal = shifted + (magnitude >= 0x7C00 ? 224u << 23 : 112u << 23);
  return std::bit_cast<float>(sign | (magnitude < 0x0400 ? subnormal : normal));
}

inline float load_half(const uint8_t* bytes) {
  return half_to_float(load_u16(bytes));
}

inline void decode_f32(const uint8_t* block, float* y) {
  std::memcpy(y, block, sizeof(float));
}

inline void decode_f16(const uint8_t* block, float* y) {
  *y = load_half(block);
}

inline void decode_bf16(const uint8_t* block, float* y) {
  *y = std::bit_cast<float>(uint32_t{load_u16(block)} << 16);
}

// Loops of 16 are kept as loops: unrolled, they would not become vector instructions.

inline void decode_q4_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const uint8_t* q = block + 2;
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) y[i] = d * static_cast<float>((q[i] & 15) - 8);
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) y[i + 16] = d * static_cast<float>((q[i] >> 4) - 8);
}

inline void decode_q4_1(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float m = load_half(block + 2);
  const uint8_t* q = block + 4;
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) y[i] = d * static_cast<float>(q[i] & 15) + m;
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) y[i + 16] = d * static_cast<float>(q[i] >> 4) + m;
}

/// The fifth bits of Q5_0 and Q5_1, whose low four bits lie as in Q4.
inline uint32_t fifth_bits(const uint8_t* bytes) {
  uint32_t bits = 0;
  std::memcpy(&bits, bytes, sizeof bits);
  return bits;
}

inline int with_fifth_bit(int low, uint32_t fifth, int i) {
  return low | static_cast<int>(fifth >> i & 1u) << 4;
}

inline void decode_q5_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const uint32_t fifth = fifth_bits(block + 2);
  const uint8_t* q = block + 6;
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(with_fifth_bit(q[i] & 15, fifth, i) - 16);
  }
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) {
    y[i + 16] = d * static_cast<float>(with_fifth_bit(q[i] >> 4, fifth, i + 16) - 16);
  }
}

inline void decode_q5_1(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float m = load_half(block + 2);
  const uint32_t fifth = fifth_bits(block + 4);
  const uint8_t* q = block + 8;
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(with_fifth_bit(q[i] & 15, fifth, i)) + m;
  }
#pragma GCC unroll 1
  for (int i = 0; i < 16; ++i) {
    y[i + 16] = d * static_cast<float>(with_fifth_bit(q[i] >> 4, fifth, i + 16)) + m;
  }
}

inline void decode_q8_0(const uint8_t* block, float* y) {
  const float d = load_half(block);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
}

/// Neighbouring values of a K type, which lie in the same bits of neighbouring bytes.
struct Bits {
  const uint8_t* bytes;
  int shift;
  int mask;
  int operator[](int i) const { return bytes[i] >> shift & mask; }
};

/// From value `first` on: the two-bit numbers of Q2_K and Q3_K, and the upper two bits in Q6_K.
inline Bits two_bits(const uint8_t* q, int first) {
  return {q + first / 128 * 32 + first % 32, first % 128 / 32 * 2, 3};
}

/// The uppermost bits in Q3_K and Q5_K.
inline Bits one_bit(const uint8_t* q, int first) {
  return {q + first % 32, first / 32, 1};
}

inline void decode_q2_k(const uint8_t* block, float* y) {
  const uint8_t* scales = block;
  const float d = load_half(block + 80);
  const float d_min = load_half(block + 82);
  for (int group = 0; group < 16; ++group, y += 16) {
    const float scale = d * static_cast<float>(scales[group] & 15);
    const float minimum = d_min * static_cast<float>(scales[group] >> 4);
    const Bits q = two_bits(block + 16, group * 16);
#pragma GCC unroll 1
    for (int i = 0; i < 16; ++i) y[i] = scale * static_cast<float>(q[i]) - minimum;
  }
}

inline void decode_q3_k(const uint8_t* block, float* y) {
  const uint8_t* scales = block + 96;
  const float d = load_half(block + 108);
  for (int group = 0; group < 16; ++group, y += 16) {
    const int low_bits = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
    const int high_bits = scales[8 + group % 4] >> group / 4 * 2 & 3;
    const float scale = d * static_cast<float>((low_bits | high_bits << 4) - 32);
    const Bits high = one_bit(block, group * 16);
    const Bits q = two_bits(block + 32, group * 16);
#pragma GCC unroll 1
    for (int i = 0; i < 16; ++i) y[i] = scale * static_cast<float>((q[i] | high[i] << 2) - 4);
  }
}

/// The six-bit scale and minimum of run `run` of 32 values in Q4_K and Q5_K.
struct ScaleAndMinimum {
  float scale, minimum;
};
inline ScaleAndMinimum scale_and_minimum(const uint8_t* packed, int run) {
  if (run < 4)
    return {static_cast<float>(packed[run] & 63), static_cast<float>(packed[run + 4] & 63)};
  return {static_cast<float>((packed[run + 4] & 15) | (packed[run - 4] >> 2 & 0x30)),
          static_cast<float>(packed[run + 4] >> 4 | (packed[run] >> 2 & 0x30))};
}

/// The four-bit numbers of Q4_K and Q5_K.
inline Bits four_bits(const uint8_t* q, int first) {
  return {q + first / 64 * 32 + first % 32, first % 64 / 32 * 4, 15};
}

inline void decode_q4_k(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float d_min = load_half(block + 2);
  for (int run = 0; run < 8; ++run, y += 32) {
    const ScaleAndMinimum packed = scale_and_minimum(block + 4, run);
    const float scale = d * packed.scale;
    const float minimum = d_min * packed.minimum;
    const Bits q = four_bits(block + 16, run * 32);
    for (int i = 0; i < 32; ++i) y[i] = scale * static_cast<float>(q[i]) - minimum;
  }
}

inline void decode_q5_k(const uint8_t* block, float* y) {
  const float d = load_half(block);
  const float d_min = load_half(block + 2);
  for (int run = 0; run < 8; ++run, y += 32) {
    const ScaleAndMinimum packed = scale_and_minimum(block + 4, run);
    const float scale = d * packed.scale;
    const float minimum = d_min * packed.minimum;
    const Bits fifth = one_bit(block + 16, run * 32);
    const Bits q = four_bits(block + 48, run * 32);
    for (int i = 0; i < 32; ++i) {
      y[i] = scale * static_cast<float>(q[i] | fifth[i] << 4) - minimum;
    }
  }
}

inline void decode_q6_k(const uint8_t* block, float* y) {
  const uint8_t* scales = block + 192;
  const float d = load_half(block + 208);
  for (int group = 0; group < 16; ++group, y += 16) {
    const int first = group * 16;
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[group]));
    const Bits low = {block + first / 128 * 64 + first % 64, first % 128 / 64 * 4, 15};
    const Bits high = two_bits(block + 128, first);
#pragma GCC unroll 1
    for (int i = 0; i < 16; ++i) {
      y[i] = scale * static_cast<float>((low[i] | high[i] << 4) - 32);
    }
  }
}

using DecodeBlocks = void (*)(const uint8_t* bytes, int64_t num_blocks, float* values);

// Templates, so that the compiler inlines `decode` into the loop; the second for processors with
// AVX2. Neither fuses a multiply-add.
template <int kValues, int kBytes, void (*decode)(const uint8_t*, float*)>
inline void decode_blocks(const uint8_t* bytes, int64_t num_blocks, float* values) {
  for (int64_t i = 0; i < num_blocks; ++i) decode(bytes + i * kBytes, values + i * kValues);
}
template <int kValues, int kBytes, void (*decode)(const uint8_t*, float*)>
__attribute__((target("avx2"))) void decode_blocks_avx2(const uint8_t* bytes,
                                                        int64_t num_blocks,
                                                        float* values) {
  for (int64_t i = 0; i < num_blocks; ++i) decode(bytes + i * kBytes, values + i * kValues);
}

struct Type {
  GgmlType type;
  GgmlTypeLayout layout;
  DecodeBlocks decode;
  DecodeBlocks decode_avx2;
};

template <int kValues, int kBytes, void (*decode)(const uint8_t*, float*)>
constexpr Type entry(GgmlType type, const char* name) {
  return {type,
          {name, kValues, kBytes},
          decode_blocks<kValues, kBytes, decode>,
          decode_blocks_avx2<kValues, kBytes, decode>};
}

constexpr Type kTypes[] = {
    entry<1, 4, decode_f32>(GgmlType::kF32, "F32"),
    entry<1, 2, decode_f16>(GgmlType::kF16, "F16"),
    entry<1, 2, decode_bf16>(GgmlType::kBF16, "BF16"),
    entry<32, 18, decode_q4_0>(GgmlType::kQ4_0, "Q4_0"),
    entry<32, 20, decode_q4_1>(GgmlType::kQ4_1, "Q4_1"),
    entry<32, 22, decode_q5_0>(GgmlType::kQ5_0, "Q5_0"),
    entry<32, 24, decode_q5_1>(GgmlType::kQ5_1, "Q5_1"),
    entry<32, 34, decode_q8_0>(GgmlType::kQ8_0, "Q8_0"),
    entry<kSuperBlock, 84, decode_q2_k>(GgmlType::kQ2_K, "Q2_K"),
    entry<kSuperBlock, 110, decode_q3_k>(GgmlType::kQ3_K, "Q3_K"),
    entry<kSuperBlock, 144, decode_q4_k>(GgmlType::kQ4_K, "Q4_K"),
    entry<kSuperBlock, 176, decode_q5_k>(GgmlType::kQ5_K, "Q5_K"),
    entry<kSuperBlock, 210, decode_q6_k>(GgmlType::kQ6_K, "Q6_K"),
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
  static const bool has_avx2 = __builtin_cpu_supports("avx2") > 0;
  const DecodeBlocks decode = has_avx2 ? entry.decode_avx2 : entry.decode;
  decode(reinterpret_cast<const uint8_t*>(blocks.data()), num_blocks, values.data());
}

}  // namespace prescript
