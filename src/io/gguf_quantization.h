#pragma once
// How GGUF stores numbers: blocks of quantised values, and their float32 meaning.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace prescript {

/// Element types of tensors; part of the on-disk format (ggml.h). Types that are not listed are not
/// readable.
enum class GgmlType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

struct GgmlTypeLayout {
  const char* name;      // "Q4_1"
  int64_t block_values;  // values a block holds; rows are whole blocks
  int64_t block_bytes;
};

/// Nothing for a type that cannot be read.
const GgmlTypeLayout* find_layout(uint32_t type);

/// The name of any type, also of those that cannot be read: "IQ2_XXS", "type 99".
std::string ggml_type_name(uint32_t type);

/// ContractError for a type that cannot be read.
const GgmlTypeLayout& layout_of(GgmlType type);

/// Decodes whole blocks: `blocks` holds n * block_bytes, `values` n * block_values float32. The
/// same bits as Python's `gguf.dequantize`.
void dequantize(GgmlType type, std::span<const std::byte> blocks, std::span<float> values);

}  // namespace prescript
