#pragma once
// Random forests cut into passes of every size.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "forest/pass.h"
#include "forest/random_sequences.h"

namespace prescript {

/// A row by the node that holds it.
struct Place {
  int32_t node = 0;
  int32_t row = 0;
  auto operator<=>(const Place&) const = default;
};

/// Where each row of each pass stands in the forest: with `keep_all` a pass says which nodes it
/// holds, and what is kept has no part in how the forest is cut.
inline std::vector<std::vector<Place>> places_of(const Forest& forest, int64_t max_rows) {
  std::vector<std::vector<Place>> places;
  for (const Pass& pass : make_schedule(forest, max_rows, /*keep_all=*/true).passes) {
    places.emplace_back();
    for (const KeptRows& rows : pass.kept) {
      EXPECT_EQ(static_cast<size_t>(rows.row_begin), places.back().size()) << "a hole";
      EXPECT_EQ(static_cast<size_t>(rows.num_rows), forest.nodes[rows.run].rows.size());
      for (int32_t i = 0; i < rows.num_rows; ++i) places.back().push_back({rows.run, i});
    }
    EXPECT_EQ(places.back().size(), pass.rows.size());
  }
  return places;
}

class EveryCut : public testing::Test {
 protected:
  static constexpr uint64_t kBatches = 150;
  static constexpr int64_t kMaxRows[] = {1, 7, 20, 60, 1000};

  /// Calls `body(forest, max_rows)` for random forests, some below given runs, and every size.
  template <typename Body>
  static void for_each(const Body& body) {
    for (uint64_t index = 0; index < kBatches; ++index) {
      const std::vector<Sequence> sequences = random_sequences(index);
      std::vector<std::vector<Row>> given;
      if (index % 3 == 0) given.push_back({sequences.front().rows.front()});
      const Forest forest =
          build_forest(sequences, given, {.min_saved_rows = index % 2 == 0 ? 1 : 8});
      for (const int64_t max_rows : kMaxRows) {
        SCOPED_TRACE("forest " + std::to_string(index) + ", rows " + std::to_string(max_rows));
        body(forest, max_rows);
      }
    }
  }
};

}  // namespace prescript
