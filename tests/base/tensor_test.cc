#include "base/tensor.h"

#include <vector>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Tensor, RangesKeepTheStride) {
  std::vector<float> data(12);
  for (int i = 0; i < 12; ++i) data[i] = static_cast<float>(i);
  const Tensor whole{data.data(), DType::kFloat32, 3, 4, 4};
  const Tensor part = whole.row_range(1, 2).col_range(1, 2);
  EXPECT_EQ(part.row<float>(0)[0], 5);
  EXPECT_EQ(part.row<float>(1)[1], 10);
  EXPECT_FALSE(part.is_contiguous());
  EXPECT_TRUE(whole.row_range(2, 1).is_contiguous());
}

TEST(Tensor, RangesOutsideThrow) {
  const Tensor tensor{nullptr, DType::kBFloat16, 3, 4, 4};
  EXPECT_THROW(tensor.row_range(2, 2), ContractError);
  EXPECT_THROW(tensor.row_range(-1, 1), ContractError);
  EXPECT_THROW(tensor.col_range(0, 5), ContractError);
}

TEST(Weight, RangesBeginAtMultiplesOfRowsThatLieTogether) {
  std::vector<float> data(100 * 4);
  const Weight whole{data.data(), DType::kFloat32, 100, 3};  // a row takes whole pairs
  const Weight part = whole.row_range(64, 36);
  EXPECT_EQ(part.data, data.data() + 64 * 4);
  EXPECT_EQ(part.rows, 36);
  EXPECT_EQ(part.cols, 3);
  EXPECT_THROW(whole.row_range(16, 1), ContractError);
  EXPECT_THROW(whole.row_range(64, 37), ContractError);
  EXPECT_THROW(whole.row_range(-32, 1), ContractError);
}

}  // namespace
}  // namespace prescript
