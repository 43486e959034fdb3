// Whether two results have the same bits.

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "cuda/kernels.h"
#include "support/kernel_device.h"

namespace prescript {
namespace {

class FindDifferenceKernelTest : public testing::TestWithParam<DType> {
 protected:
  /// Of `rows` rows of 37 elements, 40 apart.
  bool differ(const std::vector<uint16_t>& x, const std::vector<uint16_t>& y, int64_t rows) {
    const Tensor on_card_x = put(x, rows);
    const Tensor on_card_y = put(y, rows);
    int32_t found = 0;
    blocks_.push_back(device_->allocate(sizeof found));
    auto* const flag = static_cast<int32_t*>(blocks_.back().get());
    device_->to_device(&found, flag, sizeof found);
    cuda::find_difference(on_card_x, on_card_y, flag, device_->stream());
    device_->to_host(flag, &found, sizeof found);
    return found != 0;
  }
  size_t halves(int64_t rows) const { return rows * 40 * size_of(GetParam()) / 2; }

 private:
  Tensor put(const std::vector<uint16_t>& x, int64_t rows) {
    blocks_.push_back(device_->allocate(x.size() * 2));
    device_->to_device(x.data(), blocks_.back().get(), x.size() * 2);
    return {blocks_.back().get(), GetParam(), rows, 37, 40};
  }

  std::unique_ptr<cuda::Device> device_ = open_kernel_device();
  std::vector<Buffer> blocks_;
};
INSTANTIATE_TEST_SUITE_P(Every,
                         FindDifferenceKernelTest,
                         testing::Values(DType::kFloat32, DType::kBFloat16),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(FindDifferenceKernelTest, SeesEveryBitOfTheRowsAndNothingElse) {
  const int64_t rows = 9;
  std::vector<uint16_t> x(halves(rows), 0x7FC1);  // not a number
  std::vector<uint16_t> y = x;
  EXPECT_FALSE(differ(x, y, rows));
  y.back() ^= 1;  // behind the last row
  EXPECT_FALSE(differ(x, y, rows));
  y = x;
  y[halves(8) + 3] ^= 1;
  EXPECT_TRUE(differ(x, y, rows));
  EXPECT_FALSE(differ(x, y, 8));
  y = x;
  y[0] ^= 0x8000;
  EXPECT_TRUE(differ(x, y, rows));
}

}  // namespace
}  // namespace prescript
