// How a forest is cut into passes and schedules.

#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "forest/every_cut.h"

namespace prescript {
namespace {

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
