#include "model/key_value_run.h"

#include <cstring>

#include <gtest/gtest.h>

#include "support/tiny_decoder.h"

namespace prescript {
namespace {

TEST(KeyValueRun, HoldsEveryLayersKeysAndValuesApart) {
  const auto ops = make_cpu_ops(2);
  const DecoderConfig c = tiny_config();
  const KeyValueRun run(*ops, c, DType::kBFloat16, 7, /*with_gradient=*/true);
  Workbench bench(*ops, DType::kBFloat16);
  EXPECT_EQ(run.capacity(), 7);
  double number = 0;
  const auto for_each = [&](const auto& body) {
    for (int64_t layer = 0; layer < c.num_layers; ++layer) {
      for (const KeyValues& pair : {run.layer(layer), run.gradient(layer)}) {
        body(pair.k);
        body(pair.v);
      }
    }
  };
  for_each([&](Tensor x) {
    EXPECT_EQ(x.rows, 7);
    EXPECT_EQ(x.cols, c.kv_size());
    bench.write(Matrix(7, c.kv_size(), ++number), x);
  });
  number = 0;
  for_each(
      [&](Tensor x) { EXPECT_EQ(bench.get(x).values, Matrix(7, c.kv_size(), ++number).values); });
}

TEST(KeyValueRun, StartsWithZeroGradientsInTheAccumulateDtype) {
  const auto ops = make_reference_ops();  // whose memory does not come as zeros
  const DecoderConfig c = tiny_config();
  {
    const Buffer dirt = ops->allocate(100000);
    std::memset(dirt.get(), 1, 100000);
  }
  const KeyValueRun run(*ops, c, DType::kFloat64, 5, /*with_gradient=*/true);
  Workbench bench(*ops, DType::kFloat64);
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    for (const Tensor& x : {run.gradient(layer).k, run.gradient(layer).v}) {
      EXPECT_EQ(x.dtype, DType::kFloat64);
      EXPECT_EQ(bench.get(x).values, Matrix(5, c.kv_size()).values);
    }
  }
}

TEST(KeyValueRun, WithoutGradientsHasNullTensorsForThem) {
  const auto ops = make_cpu_ops(2);
  const KeyValueRun run(*ops, tiny_config(), DType::kFloat32, 5, /*with_gradient=*/false);
  EXPECT_EQ(run.gradient(0).k.data, nullptr);
  EXPECT_EQ(run.gradient(2).v.data, nullptr);
}

TEST(KeyValueRun, TakesTwoRowsALayer) {
  // 3 layers, K and V of 16 numbers a row; 8 rows fill whole cache lines.
  EXPECT_EQ(KeyValueRun::bytes(tiny_config(), DType::kFloat32, 8), 3U * 2 * 8 * 16 * 4);
  EXPECT_EQ(KeyValueRun::bytes(tiny_config(), DType::kBFloat16, 8), 3U * 2 * 8 * 16 * 2);
}

}  // namespace
}  // namespace prescript
