// Memory and conversions on every backend.

#include <bit>

#include "base/arena.h"
#include "ops/ops_test.h"

namespace prescript {
namespace {

class MemoryTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         MemoryTest,
                         testing::ValuesIn(backends()),
                         testing::PrintToStringParamName());

TEST_P(MemoryTest, IsAlignedWhateverItsSize) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{65}, size_t{1} << 20}) {
    const Buffer block = ops().allocate(bytes);
    ASSERT_NE(block.get(), nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block.get()) % Arena::kAlignment, 0U);
    const auto size = static_cast<int64_t>(bytes / size_of(sums()));
    ops().zero({block.get(), sums(), 1, size, size});
  }
}

TEST_P(MemoryTest, ThatIsNotThereIsADeviceError) {
  EXPECT_THROW(ops().allocate(size_t{1} << 60), DeviceError);
}

TEST_P(MemoryTest, ZeroAndCopyKeepToTheirSlices) {
  for (const int64_t guard : kGuards) {
    for (const int64_t rows : kEdgeRows) {
      const Matrix x = random_matrix(rows, 21, "x");
      const Tensor same = bench().take(rows, 21, dtype(), guard);
      const Tensor wide = bench().take(rows, 21, sums(), guard);
      const Tensor back = bench().take(rows, 21, dtype(), guard);
      ops().copy(put(x, guard), same);
      ops().copy(same, wide);
      ops().copy(wide, back);
      for (const Tensor& y : {same, wide, back}) EXPECT_EQ(bench().get(y).values, x.values);
      ops().zero(back);
      EXPECT_EQ(bench().get(back).values, Matrix(rows, 21).values);
      EXPECT_TRUE(bench().guards_are_intact());
    }
  }
}

TEST_P(MemoryTest, UploadAndDownloadTakeDenseRowsOfFloat32) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor x = bench().take(2, 3, dtype(), 3);
  ops().upload(values.data(), x);
  std::vector<float> found(6);
  ops().download(x, found.data());
  EXPECT_EQ(found, values);
  EXPECT_TRUE(bench().guards_are_intact());
}

/// Every float32 that lies between two bfloat16 numbers in one of these ways: on the middle behind
/// an even and an odd number, just below and just above it, at the ends of the range.
std::vector<uint32_t> hard_to_round() {
  std::vector<uint32_t> bits;
  for (const uint32_t high : {0x0000U, 0x0001U, 0x3F80U, 0x3F81U, 0x7F7EU, 0x7F7FU, 0x4049U}) {
    for (const uint32_t low : {0x0000U, 0x0001U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
      bits.push_back(high << 16 | low);
      bits.push_back(high << 16 | low | 0x80000000U);
    }
  }
  return bits;
}

/// Rounding to nearest even from its definition: the nearer of the two neighbours, of two equally
/// near ones that with an even last bit.
uint32_t nearest_bfloat16(uint32_t bits) {
  const uint32_t below = bits & 0xFFFF0000U;
  const uint32_t rest = bits & 0xFFFFU;
  const bool up = rest > 0x8000U || (rest == 0x8000U && (below & 0x10000U) != 0);
  return up ? below + 0x10000U : below;
}

class BFloat16Test : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         BFloat16Test,
                         testing::Values(backends()[2]),
                         testing::PrintToStringParamName());

TEST_P(BFloat16Test, RoundsToTheNearestEven) {
  std::vector<float> values;
  std::vector<uint32_t> expected;
  for (const uint32_t bits : hard_to_round()) {
    values.push_back(std::bit_cast<float>(bits));
    expected.push_back(nearest_bfloat16(bits));
  }
  const auto count = static_cast<int64_t>(values.size());
  const Tensor uploaded = bench().take(1, count, DType::kBFloat16);
  const Tensor wide = bench().take(1, count, DType::kFloat32);
  const Tensor copied = bench().take(1, count, DType::kBFloat16);
  ops().upload(values.data(), uploaded);
  ops().upload(values.data(), wide);
  ops().copy(wide, copied);
  for (const Tensor& x : {uploaded, copied}) {
    std::vector<float> found(values.size());
    ops().download(x, found.data());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(std::bit_cast<uint32_t>(found[i]), expected[i]) << std::hexfloat << values[i];
    }
  }
}

TEST_P(BFloat16Test, KeepsInfinityAndNotANumber) {
  const std::vector<float> values = {INFINITY, -INFINITY, NAN};
  const Tensor x = bench().take(1, 3, DType::kBFloat16);
  ops().upload(values.data(), x);
  std::vector<float> found(3);
  ops().download(x, found.data());
  EXPECT_EQ(found[0], INFINITY);
  EXPECT_EQ(found[1], -INFINITY);
  EXPECT_TRUE(std::isnan(found[2]));
}

}  // namespace
}  // namespace prescript
