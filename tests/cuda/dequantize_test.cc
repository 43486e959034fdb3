// The kernel that takes blocks of GGUF types apart, against the decoder that files are read by.

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "cuda/kernels.h"
#include "io/gguf_quantization.h"
#include "support/kernel_device.h"
#include "support/matrix.h"

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

/// Any bytes are blocks; some of them of scales that are infinite or not a number.
std::vector<std::byte> random_bytes(size_t count) {
  RandomStream random(5, "blocks");
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
  return bytes;
}

class DequantizeKernelTest : public testing::TestWithParam<GgmlType> {
 protected:
  DequantizeKernelTest() : device_(open_kernel_device()) {}

  /// What the kernel makes of rows of blocks, `guard` columns being free on either side of them.
  template <typename T>
  std::vector<T> decode(
      std::span<const std::byte> blocks, DType dtype, int64_t rows, int64_t cols, int64_t guard) {
    const int64_t width = cols + 2 * guard;
    const auto bytes = static_cast<size_t>(rows * width) * sizeof(T);
    const Buffer block = device_->allocate(bytes);
    const Tensor whole{block.get(), dtype, rows, width, width};
    const Buffer from = device_->allocate(blocks.size());
    device_->to_device(blocks.data(), from.get(), blocks.size());
    cuda::zero(whole, device_->stream());
    cuda::dequantize(static_cast<uint32_t>(GetParam()),
                     from.get(),
                     whole.col_range(guard, cols),
                     device_->stream());
    std::vector<T> values(static_cast<size_t>(rows * width));
    device_->to_host(block.get(), values.data(), bytes);
    return values;
  }

  std::unique_ptr<cuda::Device> device_;
};
INSTANTIATE_TEST_SUITE_P(Every,
                         DequantizeKernelTest,
                         testing::ValuesIn(kTypes),
                         [](const auto& test) { return layout_of(test.param).name; });

TEST_P(DequantizeKernelTest, HasTheBitsOfTheFileReader) {
  const GgmlTypeLayout& layout = layout_of(GetParam());
  const int64_t rows = 9;
  for (const int64_t cols : {layout.block_values * 5, layout.block_values * 16}) {
    const auto blocks =
        random_bytes(static_cast<size_t>(rows * cols / layout.block_values * layout.block_bytes));
    std::vector<float> expected(static_cast<size_t>(rows * cols));
    dequantize(GetParam(), blocks, expected);
    for (const int64_t guard : {0, 3, 8}) {
      SCOPED_TRACE("columns " + std::to_string(cols) + ", guard " + std::to_string(guard));
      const auto wide = decode<float>(blocks, DType::kFloat32, rows, cols, guard);
      const auto narrow = decode<uint16_t>(blocks, DType::kBFloat16, rows, cols, guard);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = -guard; c < cols + guard; ++c) {
          const auto at = static_cast<size_t>(r * (cols + 2 * guard) + guard + c);
          const bool is_guard = c < 0 || c >= cols;
          const float value = is_guard ? 0 : expected[static_cast<size_t>(r * cols + c)];
          const auto found = std::bit_cast<float>(uint32_t{narrow[at]} << 16);
          if (std::isnan(value)) {
            ASSERT_TRUE(std::isnan(wide[at]) && std::isnan(found));
            continue;
          }
          ASSERT_EQ(std::bit_cast<uint32_t>(wide[at]), std::bit_cast<uint32_t>(value));
          const auto rounded = static_cast<float>(round_to_bf16(value));
          ASSERT_EQ(std::bit_cast<uint32_t>(found), std::bit_cast<uint32_t>(rounded));
        }
      }
    }
  }
}

TEST_P(DequantizeKernelTest, OfNoRowsDoesNothing) {
  EXPECT_TRUE(decode<float>({}, DType::kFloat32, 0, 512, 0).empty());
}

TEST(DequantizeKernel, RefusesWhatIsNotBlocks) {
  const auto device = open_kernel_device();
  const Buffer block = device->allocate(4096);
  const Tensor y{block.get(), DType::kFloat32, 1, 256, 256};
  const auto decode = [&](uint32_t type, int64_t offset, const Tensor& to) {
    cuda::dequantize(type, static_cast<char*>(block.get()) + offset, to, device->stream());
  };
  EXPECT_THROW(decode(20, 2048, y), ContractError);  // IQ4_NL
  EXPECT_THROW(decode(2, 2049, y), ContractError);
  EXPECT_THROW(decode(2, 2048, y.col_range(0, 31)), ContractError);
  EXPECT_THROW(decode(14, 2048, y.col_range(0, 128)), ContractError);
}

}  // namespace
}  // namespace prescript
