// Uploads that run beside the card's operations.

#include <algorithm>

#include <gtest/gtest.h>

#include "ops/ops_test.h"

namespace prescript {
namespace {

class GpuUploadsTest : public OpsTest {};
INSTANTIATE_TEST_SUITE_P(Every,
                         GpuUploadsTest,
                         testing::Values(backends()[1]),
                         testing::PrintToStringParamName());

TEST_P(GpuUploadsTest, AnUploadComesBehindWhatReadsItsTargetAndBeforeWhatIsAskedForNext) {
  const int64_t rows = 5000;
  const int64_t cols = 5001;  // 100 MB: more than pinned memory holds, and no multiple of it
  const auto numbered = [&](size_t period) {
    std::vector<float> values(static_cast<size_t>(rows * cols));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % period);
    return values;
  };
  const Tensor x = bench().take(rows, cols, DType::kFloat32);
  const Tensor before = bench().take(rows, cols, DType::kFloat32);
  const Tensor after = bench().take(rows, cols, DType::kFloat32);
  const std::vector<float> first = numbered(251);
  const std::vector<float> second = numbered(253);
  ops().upload(first.data(), x);

  // Copies that take much longer than an upload needs to begin stand before the one that counts.
  for (int i = 0; i < 200; ++i) ops().copy(x, after);
  ops().copy(x, before);
  const auto bytes = std::as_bytes(std::span(second));
  BytePieces pieces;
  for (size_t begin = 0, count = 1; begin < bytes.size(); begin += count, count = 3 * count + 1) {
    count = std::min(count, bytes.size() - begin);
    pieces.push_back(bytes.subspan(begin, count));
  }
  pieces.push_back({});
  const auto upload = ops().start_upload(pieces, x.data);
  upload->finish();
  ops().copy(x, after);

  std::vector<float> found(first.size());
  ops().download(before, found.data());
  EXPECT_EQ(found, first);
  ops().download(after, found.data());
  EXPECT_EQ(found, second);
}

}  // namespace
}  // namespace prescript
