// How much memory weights take in every format.

#include "model/held_weights.h"

#include <gtest/gtest.h>

#include "support/tiny_decoder.h"

namespace prescript {
namespace {

TEST(HeldWeights, TakeBytesThatAreKnownBefore) {
  const DecoderConfig c = tiny_config();
  // V 61, D 32, F 40, H 4, K 2, E 8. Weights have whole panels of 32 rows, and 2 KB behind them.
  const auto weight = [](size_t element, size_t rows, size_t cols) {
    return element * rows * cols + 2048;
  };
  const size_t norms = 4 * 7 * 32;  // float32
  const auto expected = [&](size_t element, size_t heads) {
    const auto of = [&](size_t rows) { return weight(element, rows, 32); };
    const size_t layer = of(64) + of(32) + of(96) + weight(element, 32, 40);
    const size_t last = layer - of(64) + 2 * of(32);  // query apart from key and value
    return norms + heads * of(64) + 2 * layer + last;
  };
  const auto ops = make_cpu_ops(1);
  const auto bytes = [&](DType dtype) {
    return weight_bytes(*ops, c, dtype, WeightFormat::kConverted);
  };
  EXPECT_EQ(bytes(DType::kFloat32), expected(4, 2));
  EXPECT_EQ(bytes(DType::kBFloat16), expected(2, 2));
  DecoderConfig tied = c;
  tied.tied_head = true;
  EXPECT_EQ(weight_bytes(*ops, tied, DType::kFloat32, WeightFormat::kConverted), expected(4, 1));
  const MemoryTensors tensors = random_llama(c);
  const auto load = [&](DType dtype, WeightFormat format) {
    return load_weights(*ops, tensors, c, dtype, format)->bytes();
  };
  EXPECT_EQ(load(DType::kFloat32, WeightFormat::kConverted), expected(4, 2));
  // Of those in the file, the largest: gate and up, 80 rows.
  const size_t scratch = norms + weight(2, 96, 32);
  EXPECT_EQ(weight_bytes(*ops, c, DType::kBFloat16, WeightFormat::kAsStored), scratch);
  EXPECT_EQ(load(DType::kBFloat16, WeightFormat::kAsStored), scratch);
  // Of those that are streamed, rows of the head and the largest layer: the last.
  const auto of = [&](size_t rows) { return weight(2, rows, 32); };
  const size_t layer = norms + of(64) + 3 * of(32) + of(96) + weight(2, 32, 40);
  EXPECT_EQ(weight_bytes(*ops, c, DType::kBFloat16, WeightFormat::kStreamed), layer);
  EXPECT_EQ(load(DType::kBFloat16, WeightFormat::kStreamed), layer);
}

TEST(HeldWeights, AsStoredMakeRoomForRangesOfALargeVocabulary) {
  DecoderConfig c = tiny_config();
  c.vocabulary_size = 100'000;
  EXPECT_EQ(weight_bytes(*make_cpu_ops(1), c, DType::kFloat32, WeightFormat::kAsStored),
            size_t{4 * 7 * 32 + 4 * WeightRows::kMaxRows * 32 + 2048});
}

}  // namespace
}  // namespace prescript
