// The FLOP model of docs/NUMERICS.md, counted by hand.

#include "model/flops.h"

#include <gtest/gtest.h>

#include "support/tiny_decoder.h"

namespace prescript {
namespace {

/// A shared run of 10 rows and two leaves of 4 and 6 rows behind it, each with two targets: rows 2
/// and 3 of the first, rows 4 and 5 of the second predict something.
Schedule two_leaves(const std::vector<std::vector<Row>>& given = {}) {
  std::vector<Sequence> sequences;
  for (const int32_t size : {4, 6}) {
    Sequence sequence;
    for (int32_t i = 0; i < 10; ++i) sequence.rows.push_back(Row::token(i));
    for (int32_t i = 0; i < size + 1; ++i) sequence.rows.push_back(Row::token(20 + size));
    sequence.target_positions = {10 + size - 1, 10 + size};
    sequences.push_back(sequence);
  }
  return make_schedule(build_forest(sequences, given, {}), 1000);
}

TEST(Flops, OfAPassEqualTheCountByHand) {
  const Schedule schedule = two_leaves();
  const Pass& pass = schedule.passes.at(0);
  ASSERT_EQ(pass.num_rows(), 20);
  ASSERT_EQ(pass.num_output_rows(), 4);
  // D 32, H·E 32, K·E 16, F 40, V 61, 3 layers.
  const double kv = 2 * 32 * 16;
  const double others = 2 * 32 * 32 + 3 * 32 * 40;
  // Two layers take all 20 rows; the last takes them to K and V, and 4 rows further; the head 4.
  const double products = 2 * 20 * (kv + others) + 20 * kv + 4 * others + 4 * 32 * 61;
  // Pairs: 10·11/2 in the shared run, 10·10 of the leaves with it, 4·5/2 and 6·7/2 in the leaves;
  // in the last layer those of four rows: 13, 14, 15 and 16.
  const double pairs = 2 * (55 + 100 + 10 + 21) + (13 + 14 + 15 + 16);
  EXPECT_EQ(count_flops(tiny_config(), schedule, pass, false), 2 * products + 4 * 32 * pairs);
  EXPECT_EQ(count_flops(tiny_config(), schedule, pass, true), 4 * products + 14 * 32 * pairs);

  const Flops forward = forward_flops(tiny_config(), pass);
  EXPECT_EQ(forward.head, 2 * 4 * 32 * 61);
  EXPECT_EQ(forward.products, 2 * products - forward.head);
  EXPECT_EQ(forward.attention, 4 * 32 * pairs);
  const Flops inner = inner_layer_flops(tiny_config(), pass);
  EXPECT_EQ(inner.products, 2 * 20 * (kv + others));
  EXPECT_EQ(inner.attention, 4 * 32 * (55 + 100 + 10 + 21));
  EXPECT_EQ(inner.head, 0);
}

TEST(Flops, OfLayersThatSlideAreOfTheirWindow) {
  const Schedule schedule = two_leaves();
  const Pass& pass = schedule.passes.at(0);
  DecoderConfig config = tiny_config();
  config.window = 3;
  config.slides = {true, false, true};
  // A row sees itself and two before it: 1 + 2 + 8·3 pairs in the shared run, 3 for each other row.
  const double local = 27 + 4 * 3 + 6 * 3;
  const double full = 55 + 100 + 10 + 21;
  EXPECT_EQ(inner_layers_flops(config, pass, 0, 1).attention, 4 * 32 * local);
  EXPECT_EQ(inner_layers_flops(config, pass, 1, 2).attention, 4 * 32 * full);
  EXPECT_EQ(inner_layers_flops(config, pass, 0, 2).attention, 4 * 32 * (local + full));
  EXPECT_EQ(inner_layers_flops(config, pass, 2, 2).total(), 0);
  EXPECT_EQ(inner_layers_flops(config, pass, 0, 2).products,
            2 * inner_layer_flops(config, pass).products);
  EXPECT_EQ(forward_flops(config, pass).attention, 4 * 32 * (local + full + 4 * 3));
}

TEST(Flops, KeysOfAGivenRunTakeNoGradient) {
  std::vector<Row> shared;
  for (int32_t i = 0; i < 10; ++i) shared.push_back(Row::token(i));
  const Schedule schedule = two_leaves({shared});
  const Pass& pass = schedule.passes.at(0);
  ASSERT_EQ(pass.num_rows(), 10);
  const Flops forward = forward_flops(tiny_config(), pass);
  const Flops backward = input_gradient_flops(tiny_config(), pass, schedule.kept_runs);
  // Pairs with the given run: 10·10, and 4·10 in the last layer; of a leaf with itself: 10 + 21,
  // and 3 + 4 + 5 + 6.
  EXPECT_EQ(forward.attention, 4 * 32 * (2 * (100 + 31) + 40 + 18));
  EXPECT_EQ(backward.attention, 2 * 32 * (3 * (2 * 100 + 40) + 5 * (2 * 31 + 18)));
  EXPECT_EQ(backward.products, forward.products);
  EXPECT_EQ(count_flops(tiny_config(), schedule, pass, true), forward.total() + backward.total());
}

TEST(Flops, OfAStepAreTheSumOverItsPasses) {
  const DecoderConfig c = tiny_config();
  TinyDecoder decoder(backends()[1], c, random_llama(c));
  std::vector<Sequence> sequences(2);
  for (int32_t i = 0; i < 2; ++i) {
    sequences[i].rows.push_back(Row::virtual_token(0, 0));
    for (int32_t r = 1; r < 20; ++r) sequences[i].rows.push_back(Row::token(r < 10 ? r : 10 + i));
    sequences[i].target_positions = {15, 19};
  }
  const std::vector<Matrix> prompts{Matrix(1, c.hidden_size, 0.5)};
  const auto whole = decoder.differentiate(sequences, prompts);
  const auto cut =
      decoder.differentiate(sequences, prompts, {.forest = {}, .plan = {.max_rows = 10}});
  EXPECT_EQ(whole.flops, cut.flops);
  const auto recomputed =
      decoder.differentiate(sequences, prompts, {.forest = {}, .plan = {.kept_layers = 0}});
  EXPECT_EQ(whole.flops, recomputed.flops) << "recomputation counts";
  EXPECT_LT(decoder.score(sequences, prompts).flops, whole.flops / 2);
}

}  // namespace
}  // namespace prescript
