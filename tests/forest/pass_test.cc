#include "forest/pass.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "forest/every_cut.h"

namespace prescript {
namespace {

/// The rows that `place` sees: every row of its node's ancestors, and its own node's up to itself.
std::multiset<Place> rows_seen_by(const Forest& forest, const Place& place) {
  std::multiset<Place> seen;
  for (int32_t i = 0; i <= place.row; ++i) seen.insert({place.node, i});
  for (int32_t up = forest.nodes[place.node].parent; up != Node::kRoot;
       up = forest.nodes[up].parent) {
    for (int32_t i = 0; i < static_cast<int32_t>(forest.nodes[up].rows.size()); ++i) {
      seen.insert({up, i});
    }
  }
  return seen;
}

/// The key rows that query `query` meets through `parts`, in their order.
std::vector<Place> keys_of(int32_t query,
                           const std::vector<Part>& parts,
                           const std::vector<Place>& pass,
                           const Schedule& schedule) {
  std::vector<Place> keys;
  for (const Part& part : parts) {
    const int32_t j = query - part.query_begin;
    if (j < 0 || j >= part.num_queries) continue;
    for (int32_t i = 0; i < part.num_keys; ++i) {
      if (part.causal_offset != Part::kNoMask && i > part.causal_offset + j) continue;
      if (part.source == Part::kThisPass) {
        keys.push_back(pass.at(part.key_begin + i));
      } else {
        keys.push_back({schedule.kept_runs.at(part.source - 1).node, part.key_begin + i});
      }
    }
  }
  return keys;
}

TEST_F(EveryCut, HoldsEveryComputedRowOnceInDepthFirstPreOrder) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const auto places = places_of(forest, max_rows);
    const Schedule schedule = make_schedule(forest, max_rows);
    std::set<Place> found;
    ASSERT_EQ(places.size(), schedule.passes.size());
    for (size_t p = 0; p < places.size(); ++p) {
      EXPECT_TRUE(std::is_sorted(places[p].begin(), places[p].end()));
      ASSERT_EQ(places[p].size(), schedule.passes[p].rows.size());
      ASSERT_EQ(places[p].size(), schedule.passes[p].positions.size());
      for (size_t i = 0; i < places[p].size(); ++i) {
        const auto [node, row] = places[p][i];
        EXPECT_TRUE(found.insert(places[p][i]).second);
        EXPECT_EQ(forest.nodes[node].given, Node::kComputed);
        EXPECT_EQ(schedule.passes[p].rows[i], forest.nodes[node].rows[row]);
        EXPECT_EQ(schedule.passes[p].positions[i], forest.nodes[node].start + row);
      }
    }
    EXPECT_EQ(static_cast<int64_t>(found.size()), forest.num_rows());
  });
}

TEST_F(EveryCut, ShowsEveryRowThroughItsPartsExactlyWhatTheTreeSays) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const auto places = places_of(forest, max_rows);
    const Schedule schedule = make_schedule(forest, max_rows);
    for (size_t p = 0; p < places.size(); ++p) {
      const Pass& pass = schedule.passes[p];
      for (size_t i = 0; i < places[p].size(); ++i) {
        const auto keys = keys_of(static_cast<int32_t>(i), pass.parts, places[p], schedule);
        EXPECT_EQ(std::multiset(keys.begin(), keys.end()), rows_seen_by(forest, places[p][i]));
        EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end())) << "not from root to leaf";
      }
      for (size_t a = 0; a < pass.output_rows.size(); ++a) {
        const auto keys = keys_of(static_cast<int32_t>(a), pass.output_parts, places[p], schedule);
        EXPECT_EQ(std::multiset(keys.begin(), keys.end()),
                  rows_seen_by(forest, places[p][pass.output_rows[a]]));
      }
      for (const Part& part : pass.parts) {
        EXPECT_LE(static_cast<size_t>(part.query_begin + part.num_queries), pass.rows.size());
      }
    }
  });
}

TEST_F(EveryCut, PartsOfANodeStandTogetherTheTallOneBeforeTheCausalOne) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const auto places = places_of(forest, max_rows);
    const Schedule schedule = make_schedule(forest, max_rows);
    for (size_t p = 0; p < places.size(); ++p) {
      std::vector<std::pair<int32_t, bool>> order;  // (node of the keys, is causal)
      for (const Part& part : schedule.passes[p].parts) {
        const int32_t node = part.source == Part::kThisPass
                                 ? places[p][part.key_begin].node
                                 : schedule.kept_runs[part.source - 1].node;
        order.emplace_back(node, part.causal_offset != Part::kNoMask);
      }
      EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
      EXPECT_EQ(std::adjacent_find(order.begin(), order.end()), order.end());
    }
  });
}

TEST_F(EveryCut, AsksForEachOutputOnceAndWhereItStands) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const auto places = places_of(forest, max_rows);
    const Schedule schedule = make_schedule(forest, max_rows);
    std::set<int32_t> targets;
    std::set<int32_t> wanted;
    for (size_t p = 0; p < places.size(); ++p) {
      const Pass& pass = schedule.passes[p];
      std::set<int32_t> used;
      const auto place_of_output = [&](int32_t output_row) {
        used.insert(output_row);
        return places[p].at(pass.output_rows.at(output_row));
      };
      for (const PassTarget& target : pass.targets) {
        const Target& original = forest.targets[target.forest_target];
        EXPECT_TRUE(targets.insert(target.forest_target).second);
        EXPECT_EQ(place_of_output(target.output_row), (Place{original.node, original.row}));
        EXPECT_EQ(target.token_id, original.token_id);
        EXPECT_EQ(target.weight, original.weight);
      }
      for (const WantedOutput& output : pass.wanted) {
        EXPECT_TRUE(wanted.insert(output.sequence).second);
        const int32_t node = forest.last_node[output.sequence];
        const auto last = static_cast<int32_t>(forest.nodes[node].rows.size()) - 1;
        EXPECT_EQ(place_of_output(output.output_row), (Place{node, last}));
      }
      EXPECT_EQ(used.size(), pass.output_rows.size()) << "an output row that nobody asked for";
      EXPECT_TRUE(std::is_sorted(pass.output_rows.begin(), pass.output_rows.end()));
    }
    EXPECT_EQ(targets.size(), forest.targets.size());
    EXPECT_EQ(wanted.size(), forest.wanted.size());
  });
}

TEST_F(EveryCut, KeepsWhatOtherPassesSeeWhatIsGivenAndNothingElse) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const auto places = places_of(forest, max_rows);
    std::map<int32_t, size_t> pass_of;
    for (size_t p = 0; p < places.size(); ++p) {
      for (const Place& place : places[p]) pass_of[place.node] = p;
    }
    std::set<int32_t> expected;
    for (size_t i = 0; i < forest.nodes.size(); ++i) {
      const auto node = static_cast<int32_t>(i);
      if (forest.nodes[i].given != Node::kComputed) {
        expected.insert(node);
        continue;
      }
      for (const Place& seen : rows_seen_by(forest, {node, 0})) {
        if (!pass_of.contains(seen.node) || pass_of[seen.node] == pass_of[node]) continue;
        EXPECT_EQ(pass_of[seen.node], 0U) << "a row that is needed before it is computed";
        expected.insert(seen.node);
      }
    }
    const Schedule schedule = make_schedule(forest, max_rows);
    std::set<int32_t> kept;
    for (const KeptRun& run : schedule.kept_runs) {
      const Node& node = forest.nodes[run.node];
      EXPECT_TRUE(kept.insert(run.node).second);
      EXPECT_EQ(static_cast<size_t>(run.num_rows), node.rows.size());
      EXPECT_EQ(run.given, node.given);
      EXPECT_EQ(run.needs_gradient, node.needs_gradient);
    }
    EXPECT_EQ(kept, expected);
    std::set<int32_t> copied;
    for (size_t p = 0; p < schedule.passes.size(); ++p) {
      for (const KeptRows& rows : schedule.passes[p].kept) {
        const int32_t node = schedule.kept_runs[rows.run].node;
        EXPECT_TRUE(copied.insert(node).second);
        EXPECT_EQ(places[p][rows.row_begin], (Place{node, 0}));
        EXPECT_EQ(static_cast<size_t>(rows.num_rows), forest.nodes[node].rows.size());
        EXPECT_EQ(rows.kept_begin, 0);
      }
    }
    for (const int32_t node : kept) {
      EXPECT_EQ(copied.contains(node), forest.nodes[node].given == Node::kComputed);
    }
  });
}

TEST_F(EveryCut, WithKeepAllKeptRunIIsNodeI) {
  for_each([](const Forest& forest, int64_t max_rows) {
    const Schedule schedule = make_schedule(forest, max_rows, /*keep_all=*/true);
    ASSERT_EQ(schedule.kept_runs.size(), forest.nodes.size());
    for (size_t i = 0; i < forest.nodes.size(); ++i) {
      EXPECT_EQ(schedule.kept_runs[i].node, static_cast<int32_t>(i));
    }
  });
}

}  // namespace
}  // namespace prescript
