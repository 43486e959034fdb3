#include "model/layer_parts.h"

#include <gtest/gtest.h>

#include "support/tiny_decoder.h"

namespace prescript {
namespace {

/// A run of 10 rows, of which the last two are output rows.
Pass pass() {
  Pass pass;
  for (int32_t i = 0; i < 10; ++i) {
    pass.rows.push_back(Row::token(i));
    pass.positions.push_back(i);
  }
  pass.parts = {{.num_queries = 10, .num_keys = 10, .causal_offset = 0}};
  pass.output_rows = {8, 9};
  pass.output_parts = parts_of_rows(pass.parts, pass.output_rows);
  return pass;
}

TEST(LayerParts, AreThePassesOwnWhereNoLayerSlides) {
  const Pass run = pass();
  const LayerParts parts(tiny_config(), run);
  EXPECT_EQ(parts.of(0).data(), run.parts.data());
  EXPECT_EQ(parts.of(1).data(), run.parts.data());
  EXPECT_EQ(parts.of(2).data(), run.output_parts.data());
}

TEST(LayerParts, OfALayerThatSlidesAreThoseInTheWindow) {
  const Pass run = pass();
  DecoderConfig config = tiny_config();
  config.window = 4;
  config.slides = {true, false, true};
  const LayerParts parts(config, run);
  ASSERT_EQ(parts.of(0).size(), 1U);
  EXPECT_EQ(parts.of(0)[0].window_offset, -3);
  EXPECT_EQ(parts.of(1).data(), run.parts.data());
  // Output row 0 is row 8, which sees keys from 5 on.
  ASSERT_EQ(parts.of(2).size(), 1U);
  EXPECT_EQ(parts.of(2)[0].num_queries, 2);
  EXPECT_EQ(parts.of(2)[0].window_offset, 5);
}

}  // namespace
}  // namespace prescript
