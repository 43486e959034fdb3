#include "forest/pass.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "forest/random_sequences.h"

namespace prescript {
namespace {

constexpr uint64_t kBatches = 150;
constexpr int64_t kMaxRows[] = {1, 7, 20, 60, 1000};

/// A row by the node that holds it.
struct Place {
  int32_t node = 0;
  int32_t row = 0;
  auto operator<=>(const Place&) const = default;
};

/// Where each row of each pass stands in the forest: with `keep_all` a pass says which nodes it
/// holds, and what is kept has no part in how the forest is cut.
std::vector<std::vector<Place>> places_of(const Forest& forest, int64_t max_rows) {
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

class EveryCut : public testing::Test {
 protected:
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

TEST_F(EveryCut, SchedulesTakeWholeTreesAndHoldNoMoreThanOneOfThemMust) {
  int64_t num_divided = 0;
  for_each([&](const Forest& forest, int64_t max_rows) {
    int64_t rows = 0;
    std::multiset<int32_t> targets;
    const std::vector<Schedule> schedules = make_schedules(forest, max_rows);
    num_divided += schedules.size() > 1 ? 1 : 0;
    for (const Schedule& schedule : schedules) {
      int64_t kept_rows = 0;
      std::set<int32_t> trees;  // whose nodes are kept
      for (const KeptRun& run : schedule.kept_runs) {
        if (run.given != Node::kComputed) continue;
        kept_rows += run.num_rows;
        int32_t top = run.node;
        while (forest.nodes[top].parent != Node::kRoot &&
               forest.nodes[forest.nodes[top].parent].given == Node::kComputed) {
          top = forest.nodes[top].parent;
        }
        trees.insert(top);
      }
      EXPECT_TRUE(kept_rows <= max_rows || trees.size() == 1) << kept_rows;
      for (const Pass& pass : schedule.passes) {
        rows += pass.num_rows();
        for (const PassTarget& target : pass.targets) targets.insert(target.forest_target);
      }
    }
    EXPECT_EQ(rows, forest.num_rows());
    EXPECT_EQ(targets.size(), forest.targets.size());
    EXPECT_EQ(std::set(targets.begin(), targets.end()).size(), forest.targets.size());
  });
  EXPECT_GT(num_divided, 20);
}

TEST(MakeSchedules, TreesShareAScheduleAsLongAsWhatTheyHoldFitsIntoAPass) {
  // Four soft prompts with an instruction, 10 rows together; below it three questions of 9 rows.
  std::vector<Sequence> sequences;
  for (int32_t prompt = 0; prompt < 4; ++prompt) {
    for (int32_t question = 0; question < 3; ++question) {
      Sequence& sequence = sequences.emplace_back();
      for (int32_t i = 0; i < 4; ++i) sequence.rows.push_back(Row::virtual_token(prompt, i));
      for (int32_t i = 0; i < 6; ++i) sequence.rows.push_back(Row::token(i));
      for (int32_t i = 0; i < 10; ++i) sequence.rows.push_back(Row::token(20 + question));
      sequence.target_positions = {19};
    }
  }
  const Forest forest = build_forest(sequences, {}, {});
  ASSERT_EQ(forest.num_rows(), 4 * (10 + 3 * 9));
  const auto passes = [&](int64_t max_rows) {
    std::vector<size_t> sizes;
    for (const Schedule& schedule : make_schedules(forest, max_rows)) {
      sizes.push_back(schedule.passes.size());
    }
    return sizes;
  };
  EXPECT_EQ(passes(1000), (std::vector<size_t>{1}));
  EXPECT_EQ(passes(80), (std::vector<size_t>{2})) << "two whole trees a pass";
  // Trees of 37 rows are divided: at most two instructions fit, and 60 rows of questions remain.
  EXPECT_EQ(passes(27), (std::vector<size_t>{3, 3}));
  EXPECT_EQ(passes(10), (std::vector<size_t>{4, 4, 4, 4}));
}

TEST_F(EveryCut, KeepsToItsSizeButForNodesThatStandOnTheirOwn) {
  for_each([](const Forest& forest, int64_t max_rows) {
    std::vector<int64_t> rows_below(forest.nodes.size());  // of a node and all below it
    for (size_t i = 0; i < forest.nodes.size(); ++i) {
      if (forest.nodes[i].given != Node::kComputed) continue;
      for (auto up = static_cast<int32_t>(i); up != Node::kRoot; up = forest.nodes[up].parent) {
        rows_below[up] += static_cast<int64_t>(forest.nodes[i].rows.size());
      }
    }
    const auto places = places_of(forest, max_rows);
    for (size_t p = 0; p < places.size(); ++p) {
      EXPECT_TRUE(p == 0 || !places[p].empty());
      if (static_cast<int64_t>(places[p].size()) <= max_rows) continue;
      std::set<int32_t> nodes;
      for (const Place& place : places[p]) nodes.insert(place.node);
      if (nodes.size() == 1) continue;  // a node is never divided
      EXPECT_EQ(p, 0U) << "only what others stand on may exceed the size together";
      for (const int32_t node : nodes) {
        EXPECT_FALSE(forest.nodes[node].children.empty());
        EXPECT_GT(rows_below[node], max_rows);
      }
    }
    for (size_t p = 1; p < places.size(); ++p) {  // passes that could be one would cost a pass
      EXPECT_GT(static_cast<int64_t>(places[p - 1].size() + rows_below[places[p].front().node]),
                max_rows);
    }
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

TEST(Schedule, LeavesLargerThanAPassAreOneEach) {
  std::vector<Sequence> sequences(3);
  for (int32_t s = 0; s < 3; ++s) {
    for (int32_t i = 0; i < 20; ++i) sequences[s].rows.push_back(Row::token(i));
    for (int32_t i = 0; i < 30; ++i) sequences[s].rows.push_back(Row::token(100 + s));
    sequences[s].target_positions = {49};
  }
  const Schedule schedule = make_schedule(build_forest(sequences, {}, {}), 24);
  std::vector<int64_t> sizes;
  for (const Pass& pass : schedule.passes) sizes.push_back(pass.num_rows());
  EXPECT_EQ(sizes, (std::vector<int64_t>{20, 29, 29, 29}));
}

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

TEST(Schedule, RefusesPassesWithoutRows) {
  const Forest forest = build_forest(random_sequences(1), {}, {});
  EXPECT_THROW(make_schedule(forest, 0), ContractError);
  EXPECT_THROW(make_schedule(forest, -5), ContractError);
}

TEST(Schedule, OfNothingIsOneEmptyPass) {
  const Schedule schedule = make_schedule({}, 10);
  ASSERT_EQ(schedule.passes.size(), 1U);
  EXPECT_EQ(schedule.passes[0].num_rows(), 0);
}

}  // namespace
}  // namespace prescript
