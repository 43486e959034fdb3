#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "forest/pass.h"

namespace prescript {
namespace {

TEST(PartsOfRows, ShowTheChosenRowsWhatTheyAlwaysSaw) {
  for (uint64_t index = 0; index < 2000; ++index) {
    RandomStream random(7, "parts of rows", index);
    constexpr int32_t kRows = 12;
    std::vector<Part> parts;
    for (uint64_t count = 1 + random.below(4); count > 0; --count) {
      Part part;
      part.query_begin = static_cast<int32_t>(random.below(kRows));
      part.num_queries = 1 + static_cast<int32_t>(random.below(kRows - part.query_begin));
      part.source = static_cast<int32_t>(random.below(3));
      part.key_begin = static_cast<int32_t>(random.below(5));
      part.num_keys = 1 + static_cast<int32_t>(random.below(10));
      part.causal_offset = static_cast<int32_t>(random.below(5)) - 1;
      parts.push_back(part);
    }
    std::vector<int32_t> chosen;
    for (int32_t row = 0; row < kRows; ++row) {
      if (random.below(2) == 0) chosen.push_back(row);
    }
    using Key = std::pair<int32_t, int32_t>;  // (source, row)
    const auto keys_of_row = [](std::span<const Part> among, int32_t row) {
      std::vector<Key> keys;
      for (const Part& part : among) {
        const int32_t j = row - part.query_begin;
        for (int32_t i = 0; i < part.num_keys && j >= 0 && j < part.num_queries; ++i) {
          const bool is_hidden = part.causal_offset != Part::kNoMask && i > part.causal_offset + j;
          if (!is_hidden) keys.emplace_back(part.source, part.key_begin + i);
        }
      }
      return keys;
    };
    const std::vector<Part> restricted = parts_of_rows(parts, chosen);
    for (size_t a = 0; a < chosen.size(); ++a) {
      EXPECT_EQ(keys_of_row(restricted, static_cast<int32_t>(a)), keys_of_row(parts, chosen[a]));
    }
    for (const Part& part : restricted) {
      EXPECT_GT(part.num_queries, 0);
      EXPECT_LE(static_cast<size_t>(part.query_begin + part.num_queries), chosen.size());
    }
  }
}

TEST(PartsOfRows, WithoutAMaskScatteredRowsAreOneTallPart) {
  const Part tall{.query_begin = 2, .num_queries = 9, .key_begin = 0, .num_keys = 2};
  const std::vector<int32_t> chosen = {0, 3, 5, 10, 11};
  const std::vector<Part> parts = parts_of_rows(std::vector{tall}, chosen);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].query_begin, 1);
  EXPECT_EQ(parts[0].num_queries, 3);
}

}  // namespace
}  // namespace prescript
