// Parts restricted to a window against the pairs that positions allow.

#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "forest/pass.h"
#include "forest/random_sequences.h"

namespace prescript {
namespace {

/// (query row, source, key row); each at most once.
using Pairs = std::set<std::tuple<int32_t, int32_t, int32_t>>;

Pairs pairs_of(std::span<const Part> parts) {
  Pairs pairs;
  for (const Part& part : parts) {
    for (int32_t j = 0; j < part.num_queries; ++j) {
      for (int32_t i = 0; i < part.num_keys; ++i) {
        if (part.causal_offset != Part::kNoMask && i > part.causal_offset + j) continue;
        if (part.window_offset != Part::kNoWindow && i < part.window_offset + j) continue;
        EXPECT_TRUE(pairs.emplace(part.query_begin + j, part.source, part.key_begin + i).second);
      }
    }
  }
  return pairs;
}

/// Of `parts` without a window, the pairs less than `window` positions apart.
Pairs pairs_within(std::span<const Part> parts, const Pass& pass, int64_t window) {
  Pairs pairs;
  for (const Part& part : parts) {
    for (int32_t j = 0; j < part.num_queries; ++j) {
      for (int32_t i = 0; i < part.num_keys; ++i) {
        const int32_t query = part.query_begin + j;
        const bool is_ahead = part.causal_offset != Part::kNoMask && i > part.causal_offset + j;
        if (is_ahead || pass.positions[query] - (part.key_position + i) >= window) continue;
        pairs.emplace(query, part.source, part.key_begin + i);
      }
    }
  }
  return pairs;
}

TEST(Window, LeavesThePairsThatPositionsAllow) {
  for (uint64_t index = 0; index < 20; ++index) {
    const Forest forest = build_forest(random_sequences(index), {}, {.min_saved_rows = 1});
    for (const int64_t max_rows : {1000, 15}) {
      for (const Pass& pass : make_schedule(forest, max_rows).passes) {
        for (const int64_t window : {1, 2, 3, 7, 20, 1000}) {
          SCOPED_TRACE(window);
          const auto parts = parts_in_window(pass.parts, pass.positions, window);
          EXPECT_EQ(pairs_of(parts), pairs_within(pass.parts, pass, window));
          // Of the output rows alone, which become queries 0, 1, ...
          Pairs expected;
          for (const auto& [query, source, key] : pairs_of(parts)) {
            const auto& rows = pass.output_rows;
            const auto found = std::lower_bound(rows.begin(), rows.end(), query);
            if (found == rows.end() || *found != query) continue;
            expected.emplace(static_cast<int32_t>(found - rows.begin()), source, key);
          }
          EXPECT_EQ(pairs_of(parts_of_rows(parts, pass.output_rows)), expected);
        }
      }
    }
  }
}

TEST(Window, AsWideAsTheContextLeavesEveryPartAsItIs) {
  const Forest forest = build_forest(random_sequences(3), {}, {.min_saved_rows = 1});
  const Pass pass = make_schedule(forest, 1000).passes.at(0);
  const auto parts = parts_in_window(pass.parts, pass.positions, 1000);
  ASSERT_EQ(parts.size(), pass.parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_EQ(parts[i].num_keys, pass.parts[i].num_keys);
    EXPECT_EQ(parts[i].window_offset, Part::kNoWindow);
  }
}

TEST(Window, KeepsWhatAllQueriesSeeInOneTallPart) {
  // Two leaves of 3 rows below a root of 10.
  const std::vector<int32_t> positions = {10, 11, 12, 10, 11, 12};
  const Part tall{.num_queries = 6, .source = 1, .num_keys = 10};
  const auto parts = parts_in_window(std::span(&tall, 1), positions, 5);
  // Position 12 sees keys from 8 on, 10 from 6 on: keys 6 and 7 by leaves, 8 and 9 by all.
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].key_begin, 6);
  EXPECT_EQ(parts[0].num_keys, 2);
  EXPECT_EQ(parts[0].num_queries, 3);
  EXPECT_EQ(parts[1].query_begin, 3);
  EXPECT_EQ(parts[2].key_begin, 8);
  EXPECT_EQ(parts[2].num_keys, 2);
  EXPECT_EQ(parts[2].num_queries, 6);
  EXPECT_FALSE(parts[2].is_masked());
}

}  // namespace
}  // namespace prescript
