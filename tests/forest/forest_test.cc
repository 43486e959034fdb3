#include "forest/forest.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "forest/random_sequences.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kBatches = 400;

std::vector<Row> tokens(std::initializer_list<int32_t> ids) {
  std::vector<Row> rows;
  for (const int32_t id : ids) rows.push_back(Row::token(id));
  return rows;
}

std::vector<Row> virtual_tokens(int32_t soft_prompt, int32_t count) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < count; ++i) rows.push_back(Row::virtual_token(soft_prompt, i));
  return rows;
}

/// `count` tokens first, first + 1, ...
std::vector<Row> run(int32_t first, int32_t count) {
  std::vector<Row> rows;
  for (int32_t i = 0; i < count; ++i) rows.push_back(Row::token(first + i));
  return rows;
}

std::vector<Row> joined(std::initializer_list<std::vector<Row>> pieces) {
  std::vector<Row> rows;
  for (const auto& piece : pieces) rows.insert(rows.end(), piece.begin(), piece.end());
  return rows;
}

Sequence sequence_of(std::vector<Row> rows, std::vector<int32_t> target_positions = {}) {
  return {.rows = std::move(rows), .target_positions = std::move(target_positions)};
}

Forest forest_of(const std::vector<Sequence>& sequences,
                 int64_t min_saved_rows = 1,
                 const std::vector<std::vector<Row>>& given = {}) {
  return build_forest(sequences, given, {.min_saved_rows = min_saved_rows});
}

/// The rows on the way from the root to the end of `node`.
std::vector<Row> path_of(const Forest& forest, int32_t node) {
  std::vector<Row> rows;
  for (; node != Node::kRoot; node = forest.nodes[node].parent) {
    rows.insert(rows.begin(), forest.nodes[node].rows.begin(), forest.nodes[node].rows.end());
  }
  return rows;
}

/// The rows on the way to row `row` of `node`, it included.
std::vector<Row> path_of(const Forest& forest, int32_t node, int32_t row) {
  std::vector<Row> rows = path_of(forest, node);
  rows.resize(forest.nodes[node].start + row + 1);
  return rows;
}

std::vector<Row> first_rows(const Sequence& sequence, size_t count) {
  return {sequence.rows.begin(), sequence.rows.begin() + static_cast<int64_t>(count)};
}

/// Rows that must be computed for `sequence`: the last target is none of them.
size_t used_rows(const Sequence& sequence) {
  const bool whole = sequence.wants_last_row || sequence.target_positions.empty();
  return whole ? sequence.rows.size() : static_cast<size_t>(sequence.target_positions.back());
}

/// Runs that some sequences start with.
std::vector<std::vector<Row>> random_given(const std::vector<Sequence>& sequences, uint64_t index) {
  RandomStream random(7, "given", index);
  std::vector<std::vector<Row>> given;
  for (uint64_t count = random.below(4); count > 0; --count) {
    const Sequence& sequence = sequences[random.below(sequences.size())];
    given.push_back(first_rows(sequence, 1 + random.below(sequence.rows.size())));
  }
  return given;
}

void expect_nodes_form_a_tree_in_pre_order(const Forest& forest) {
  std::vector<int32_t> ancestors;  // of the next node
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    const Node& node = forest.nodes[i];
    const auto index = static_cast<int32_t>(i);
    EXPECT_FALSE(node.rows.empty());
    while (!ancestors.empty() && ancestors.back() != node.parent) ancestors.pop_back();
    EXPECT_EQ(node.parent, ancestors.empty() ? Node::kRoot : ancestors.back()) << "node " << i;
    EXPECT_EQ(static_cast<size_t>(node.start) + node.rows.size(), path_of(forest, index).size());
    EXPECT_TRUE(std::is_sorted(node.children.begin(), node.children.end()));
    for (const int32_t child : node.children) EXPECT_EQ(forest.nodes[child].parent, index);
    size_t num_children = 0;
    for (const Node& other : forest.nodes) num_children += other.parent == index ? 1 : 0;
    EXPECT_EQ(node.children.size(), num_children);
    ancestors.push_back(index);
  }
}

void expect_gradients_where_trainable_rows_are_above(const Forest& forest) {
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    bool expected = false;
    for (auto up = static_cast<int32_t>(i); up != Node::kRoot; up = forest.nodes[up].parent) {
      const Node& node = forest.nodes[up];
      if (node.given != Node::kComputed) break;  // K/V that exist are constants
      for (const Row& row : node.rows) expected = expected || row.is_virtual();
    }
    EXPECT_EQ(forest.nodes[i].needs_gradient, expected) << "node " << i;
  }
}

void expect_sequences_are_spelled(const Forest& forest, const std::vector<Sequence>& sequences) {
  size_t num_targets = 0;
  size_t num_wanted = 0;
  ASSERT_EQ(forest.last_node.size(), sequences.size());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Sequence& sequence = sequences[i];
    const std::vector<Row> path = path_of(forest, forest.last_node[i]);
    ASSERT_GE(path.size(), used_rows(sequence));
    EXPECT_TRUE(std::equal(path.begin(),
                           path.begin() + static_cast<int64_t>(used_rows(sequence)),
                           sequence.rows.begin()));
    num_targets += sequence.target_positions.size();
    num_wanted += sequence.wants_last_row ? 1 : 0;
  }
  ASSERT_EQ(forest.targets.size(), num_targets);
  std::set<std::pair<int32_t, int32_t>> seen;
  for (const Target& target : forest.targets) {
    const Sequence& sequence = sequences[target.sequence];
    const int32_t position = sequence.target_positions[target.index];
    EXPECT_TRUE(seen.insert({target.sequence, target.index}).second);
    EXPECT_EQ(path_of(forest, target.node, target.row), first_rows(sequence, position));
    EXPECT_LT(target.row, static_cast<int32_t>(forest.nodes[target.node].rows.size()));
    EXPECT_EQ(forest.nodes[target.node].given, Node::kComputed);
    EXPECT_EQ(Row::token(target.token_id), sequence.rows[position]);
    EXPECT_EQ(target.weight, sequence.target_weight);
  }
  ASSERT_EQ(forest.wanted.size(), num_wanted);
  for (const WantedRow& wanted : forest.wanted) {
    EXPECT_TRUE(sequences[wanted.sequence].wants_last_row);
    EXPECT_EQ(wanted.node, forest.last_node[wanted.sequence]);
    EXPECT_EQ(path_of(forest, wanted.node), sequences[wanted.sequence].rows);
    EXPECT_EQ(path_of(forest, wanted.node, wanted.row), sequences[wanted.sequence].rows);
  }
}

/// Nodes branch where that saves enough, and nowhere else.
void expect_branches_pay(const Forest& forest, int64_t min_saved_rows) {
  std::set<int32_t> ends;  // nodes that end because a wanted row does
  for (const WantedRow& wanted : forest.wanted) ends.insert(wanted.node);
  std::map<std::pair<int32_t, Row>, std::vector<int32_t>> alike;  // siblings by their first row
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    const Node& node = forest.nodes[i];
    if (node.given != Node::kComputed) continue;
    alike[{node.parent, node.rows.front()}].push_back(static_cast<int32_t>(i));
    if (node.children.empty() || ends.contains(static_cast<int32_t>(i))) continue;
    const auto branches = static_cast<int64_t>(node.children.size());
    EXPECT_GE(branches, 2) << "a chain that is not merged: node " << i;
    EXPECT_GE((branches - 1) * static_cast<int64_t>(node.rows.size()), min_saved_rows);
  }
  for (const auto& [place, siblings] : alike) {
    if (siblings.size() < 2) continue;
    size_t common = 0;
    std::set<Row> next;
    do {
      ++common;
      next.clear();
      for (const int32_t sibling : siblings) {
        ASSERT_LT(common, forest.nodes[sibling].rows.size()) << "siblings that are one";
        next.insert(forest.nodes[sibling].rows[common]);
      }
    } while (next.size() == 1);
    EXPECT_LT((static_cast<int64_t>(next.size()) - 1) * static_cast<int64_t>(common),
              min_saved_rows);
  }
}

TEST(Forest, IsATrieOfItsSequencesWhateverTheyAre) {
  for (uint64_t index = 0; index < kBatches; ++index) {
    SCOPED_TRACE(index);
    const std::vector<Sequence> sequences = random_sequences(index);
    const int64_t min_saved_rows = std::vector<int64_t>{0, 1, 3, 8, 1000}[index % 5];
    const Forest forest = forest_of(sequences, min_saved_rows);
    expect_nodes_form_a_tree_in_pre_order(forest);
    expect_gradients_where_trainable_rows_are_above(forest);
    expect_sequences_are_spelled(forest, sequences);
    expect_branches_pay(forest, min_saved_rows);
    EXPECT_LE(forest.num_rows(), num_unshared_rows(sequences));
  }
}

TEST(Forest, ComputesEveryDistinctBeginningOnceWhereEveryBranchPays) {
  for (uint64_t index = 0; index < kBatches; ++index) {
    const std::vector<Sequence> sequences = random_sequences(index);
    std::set<std::vector<Row>> beginnings;
    for (const Sequence& sequence : sequences) {
      for (size_t size = 1; size <= used_rows(sequence); ++size) {
        beginnings.insert(first_rows(sequence, size));
      }
    }
    EXPECT_EQ(forest_of(sequences).num_rows(), static_cast<int64_t>(beginnings.size())) << index;
  }
}

TEST(Forest, HangsSequencesBelowTheLongestGivenRunThatEndsBeforeTheirFirstOutput) {
  for (uint64_t index = 0; index < kBatches; ++index) {
    SCOPED_TRACE(index);
    const std::vector<Sequence> sequences = random_sequences(index);
    const auto given = random_given(sequences, index);
    const Forest forest = forest_of(sequences, 1, given);
    expect_nodes_form_a_tree_in_pre_order(forest);
    expect_gradients_where_trainable_rows_are_above(forest);
    expect_sequences_are_spelled(forest, sequences);
    std::set<std::pair<std::vector<Row>, std::vector<Row>>> computed;  // (given run, beginning)
    for (size_t i = 0; i < sequences.size(); ++i) {
      const Sequence& sequence = sequences[i];
      const size_t first_output = sequence.target_positions.empty()
                                      ? sequence.rows.size() - 1
                                      : static_cast<size_t>(sequence.target_positions.front() - 1);
      std::vector<Row> expected;
      for (const auto& rows : given) {
        if (rows.size() > first_output || rows.size() <= expected.size()) continue;
        if (rows == first_rows(sequence, rows.size())) expected = rows;
      }
      int32_t root = forest.last_node[i];
      while (forest.nodes[root].parent != Node::kRoot) root = forest.nodes[root].parent;
      const Node& node = forest.nodes[root];
      EXPECT_EQ(node.given != Node::kComputed, !expected.empty());
      if (!expected.empty()) {
        EXPECT_EQ(node.rows, expected);
        EXPECT_EQ(given[node.given], expected);
      }
      for (size_t size = expected.size() + 1; size <= used_rows(sequence); ++size) {
        computed.insert({expected, first_rows(sequence, size)});
      }
    }
    EXPECT_EQ(forest.num_rows(), static_cast<int64_t>(computed.size()));
  }
}

TEST(Forest, WithoutSharingEverySequenceIsATreeOfItsOwn) {
  for (uint64_t index = 0; index < kBatches; ++index) {
    SCOPED_TRACE(index);
    const std::vector<Sequence> sequences = random_sequences(index);
    const Forest forest = build_forest(sequences, {}, {.share = false});
    expect_sequences_are_spelled(forest, sequences);
    EXPECT_EQ(forest.nodes.size(), sequences.size());
    EXPECT_EQ(forest.num_rows(), num_unshared_rows(sequences));
  }
}

TEST(Forest, SharesThreeLevelsAndLeavesOutTheLastTarget) {
  // Soft prompt 4, instruction 10; question A (9) with answers of 1 and 6, question B (12) with one
  // of 3.
  const auto root = joined({virtual_tokens(0, 4), run(100, 10)});
  const auto a = joined({root, run(200, 9)});
  const std::vector<Sequence> sequences = {
      sequence_of(joined({a, tokens({1})}), {23}),
      sequence_of(joined({a, run(300, 6)}), {23, 24, 25, 26, 27, 28}),
      sequence_of(joined({root, run(400, 12), run(500, 3)}), {26, 27, 28})};
  const Forest forest = forest_of(sequences, 8);
  ASSERT_EQ(forest.nodes.size(), 3U);  // question A and its one leaf that has rows are one chain
  EXPECT_EQ(forest.nodes[0].rows, root);
  EXPECT_EQ(forest.nodes[1].rows, joined({run(200, 9), run(300, 5)}));
  EXPECT_EQ(forest.nodes[2].rows, joined({run(400, 12), run(500, 2)}));
  EXPECT_EQ(forest.nodes[1].parent, 0);
  EXPECT_EQ(forest.nodes[2].parent, 0);
  EXPECT_EQ(forest.nodes[2].start, 14);
  EXPECT_THAT(forest.nodes[0].children, ElementsAre(1, 2));
  EXPECT_EQ(forest.num_rows(), 14 + 14 + 14);
  EXPECT_EQ(num_unshared_rows(sequences), 23 + 28 + 28);
  EXPECT_EQ(num_padded_rows(sequences), 3 * 29);
  // The last row of question A predicts the first token of both answers.
  EXPECT_EQ(forest.targets[0].node, forest.targets[1].node);
  EXPECT_EQ(forest.targets[0].row, forest.targets[1].row);
  EXPECT_EQ(forest.targets[0].token_id, 1);
  EXPECT_EQ(forest.targets[1].token_id, 300);
}

TEST(Forest, SplitsABranchOnlyWhereThatSavesEnoughRows) {
  const auto nodes_of = [](int32_t num_shared, int32_t num_sequences) {
    std::vector<Sequence> sequences;
    for (int32_t i = 0; i < num_sequences; ++i) {
      sequences.push_back(sequence_of(joined({run(0, num_shared), run(100 + 10 * i, 3)})));
    }
    return forest_of(sequences, 8).nodes.size();
  };
  EXPECT_EQ(nodes_of(7, 2), 2U);
  EXPECT_EQ(nodes_of(8, 2), 3U);
  EXPECT_EQ(nodes_of(3, 3), 3U);
  EXPECT_EQ(nodes_of(4, 3), 4U);
}

TEST(Forest, ASequenceThatIsTheBeginningOfAnotherCostsNothing) {
  const std::vector<Sequence> sequences = {
      sequence_of(run(0, 3)), sequence_of(run(0, 9), {5, 8}), sequence_of(run(0, 4), {3})};
  const Forest forest = forest_of(sequences, 8);
  ASSERT_EQ(forest.nodes.size(), 1U);
  EXPECT_EQ(forest.nodes[0].rows, run(0, 8));
  EXPECT_THAT(forest.last_node, ElementsAre(0, 0, 0));
}

TEST(Forest, AWantedRowEndsANodeHoweverFewRowsThatSaves) {
  std::vector<Sequence> sequences = {sequence_of(run(0, 9)), sequence_of(run(0, 2))};
  sequences[1].wants_last_row = true;
  const Forest forest = forest_of(sequences, 1000);
  ASSERT_EQ(forest.nodes.size(), 2U);
  EXPECT_EQ(forest.nodes[0].rows, run(0, 2));
  EXPECT_EQ(forest.nodes[1].rows, run(2, 7));
  EXPECT_THAT(forest.last_node, ElementsAre(1, 0));
}

TEST(Forest, SiblingsStandInOrderOfFirstOccurrence) {
  const std::vector<Sequence> sequences = {sequence_of(tokens({0, 9, 1})),
                                           sequence_of(tokens({0, 3, 1})),
                                           sequence_of(tokens({0, 5, 1}))};
  EXPECT_THAT(forest_of(sequences).last_node, ElementsAre(1, 2, 3));
}

TEST(Forest, OfNothingIsEmpty) {
  EXPECT_THAT(forest_of({}).nodes, IsEmpty());
  EXPECT_EQ(num_padded_rows({}), 0);
}

TEST(Forest, RefusesMalformedSequences) {
  const auto refuses = [](const Sequence& sequence) {
    EXPECT_THROW(forest_of({sequence}), ContractError);
  };
  refuses({});
  refuses(sequence_of(run(0, 4), {0}));
  refuses(sequence_of(run(0, 4), {4}));
  refuses(sequence_of(run(0, 4), {2, 2}));
  refuses(sequence_of(run(0, 4), {3, 1}));
  refuses(sequence_of(joined({run(0, 1), virtual_tokens(0, 2)}), {2}));
}

}  // namespace
}  // namespace prescript
