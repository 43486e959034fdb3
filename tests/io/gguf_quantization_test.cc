#include "io/gguf_quantization.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "io/gguf.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/io/";

TEST(Dequantize, EveryTypeHasTheBitsOfGgufPy) {
  const auto blocks = GgufFile::open(kGolden + "every_type.gguf");
  const auto expected = SafetensorsFile::open(kGolden + "every_type_values.safetensors");
  int num_types = 0;
  for (const GgufTensor& tensor : blocks->tensors()) {
    SCOPED_TRACE(tensor.name);
    if (tensor.name != "vector") {
      EXPECT_EQ(tensor.name, layout_of(tensor.type).name);
      ++num_types;
    }
    const SafetensorsTensor* values = expected->find(tensor.name);
    ASSERT_NE(values, nullptr);
    EXPECT_EQ(values->shape, tensor.shape);
    std::vector<float> decoded(values->bytes.size() / sizeof(float));
    dequantize(tensor.type, tensor.bytes, decoded);
    EXPECT_EQ(std::memcmp(decoded.data(), values->bytes.data(), values->bytes.size()), 0);
  }
  EXPECT_EQ(num_types, 13);
}

TEST(Dequantize, EveryHalfHasTheValueThatTheCompilerGivesIt) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<float> values(halves.size());
  dequantize(GgmlType::kF16, std::as_bytes(std::span(halves)), values);
  for (size_t i = 0; i < halves.size(); ++i) {
    const auto expected = static_cast<float>(std::bit_cast<_Float16>(halves[i]));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(values[i])) << i;
    } else {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(expected)) << i;
    }
  }
}

TEST(Dequantize, RefusesPartsOfBlocksAndWrongSizes) {
  const std::vector<std::byte> bytes(40);
  std::vector<float> values(64);
  EXPECT_NO_THROW(dequantize(GgmlType::kQ4_1, bytes, values));
  EXPECT_THROW(dequantize(GgmlType::kQ4_1, std::span(bytes).first(39), values), ContractError);
  EXPECT_THROW(dequantize(GgmlType::kQ4_1, bytes, std::span(values).first(63)), ContractError);
  EXPECT_NO_THROW(dequantize(GgmlType::kQ4_1, {}, {}));
}

TEST(GgmlType, EveryTypeHasAName) {
  EXPECT_EQ(ggml_type_name(3), "Q4_1");
  EXPECT_EQ(ggml_type_name(20), "IQ4_NL");
  EXPECT_EQ(ggml_type_name(999), "type 999");
  EXPECT_EQ(find_layout(20), nullptr);
  EXPECT_THROW(layout_of(static_cast<GgmlType>(20)), ContractError);
}

}  // namespace
}  // namespace prescript
