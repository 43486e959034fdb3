#include "forest/forest.h"

#include <algorithm>
#include <map>
#include <string>

#include "base/error.h"

namespace prescript {
namespace {

/// One past the last row of `sequence` that leads to an output.
int32_t used_rows(const Sequence& sequence) {
  const auto size = static_cast<int32_t>(sequence.rows.size());
  if (sequence.wants_last_row || sequence.target_positions.empty()) return size;
  return sequence.target_positions.back();
}

void check(const Sequence& sequence, size_t index) {
  const std::string where = "sequence " + std::to_string(index);
  PRESCRIPT_CHECK(!sequence.rows.empty(), where + " is empty");
  int32_t previous = 0;
  for (const int32_t position : sequence.target_positions) {
    PRESCRIPT_CHECK(position > previous && position < static_cast<int32_t>(sequence.rows.size()),
                    where + ": target position " + std::to_string(position));
    PRESCRIPT_CHECK(!sequence.rows[position].is_virtual(), where + ": a virtual token is a target");
    previous = position;
  }
}

class Builder {
 public:
  Builder(std::span<const Sequence> sequences, const ForestOptions& options)
      : sequences_(sequences), options_(options), end_(sequences.size()) {
    forest_.last_node.assign(sequences.size(), Node::kRoot);
    for (size_t i = 0; i < sequences.size(); ++i) {
      check(sequences[i], i);
      end_[i] = used_rows(sequences[i]);
    }
  }

  Forest build(std::span<const std::vector<Row>> given) {
    // Sequences by the given run they hang below, in order of first occurrence.
    std::vector<std::pair<int32_t, std::vector<int32_t>>> groups;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const int32_t run = longest_given(sequences_[i], given);
      auto group = std::find_if(
          groups.begin(), groups.end(), [&](const auto& entry) { return entry.first == run; });
      if (group == groups.end()) group = groups.insert(groups.end(), {run, {}});
      group->second.push_back(static_cast<int32_t>(i));
    }
    for (const auto& [run, members] : groups) {
      int32_t root = Node::kRoot;
      if (run != Node::kComputed) root = add_node(given[run], Node::kRoot, 0, run);
      const int32_t start = run == Node::kComputed ? 0 : static_cast<int32_t>(given[run].size());
      if (options_.share) {
        grow(members, start, root);
      } else {
        for (const int32_t member : members) grow({member}, start, root);
      }
    }
    place_outputs();
    return std::move(forest_);
  }

 private:
  int32_t longest_given(const Sequence& sequence, std::span<const std::vector<Row>> given) const {
    const int32_t first_output = sequence.target_positions.empty()
                                     ? static_cast<int32_t>(sequence.rows.size()) - 1
                                     : sequence.target_positions.front() - 1;
    int32_t best = Node::kComputed;
    size_t best_size = 0;
    for (size_t g = 0; g < given.size(); ++g) {
      const auto& rows = given[g];
      if (rows.size() <= best_size || rows.size() > static_cast<size_t>(first_output)) continue;
      if (std::equal(rows.begin(), rows.end(), sequence.rows.begin())) {
        best = static_cast<int32_t>(g);
        best_size = rows.size();
      }
    }
    return best;
  }

  int32_t add_node(std::vector<Row> rows, int32_t parent, int32_t start, int32_t given) {
    const auto index = static_cast<int32_t>(forest_.nodes.size());
    Node node;
    node.parent = parent;
    node.start = start;
    node.given = given;
    const bool below_trainable = parent != Node::kRoot && forest_.nodes[parent].needs_gradient;
    const bool holds_trainable =
        std::any_of(rows.begin(), rows.end(), [](const Row& row) { return row.is_virtual(); });
    node.needs_gradient = given == Node::kComputed && (below_trainable || holds_trainable);
    node.rows = std::move(rows);
    forest_.nodes.push_back(std::move(node));
    if (parent != Node::kRoot) forest_.nodes[parent].children.push_back(index);
    return index;
  }

  /// Grows the subtree of `members`, which agree on all rows before `start`, below `parent`.
  void grow(const std::vector<int32_t>& members, int32_t start, int32_t parent) {
    int32_t end = start;
    std::map<Row, size_t> branch_of;  // next row -> index in branches
    std::vector<std::vector<int32_t>> branches;
    std::vector<int32_t> ended;
    bool must_end = false;
    while (true) {  // extend the common run row by row until it ends or branches
      branch_of.clear();
      branches.clear();
      ended.clear();
      must_end = false;
      for (const int32_t member : members) {
        if (end_[member] <= end) {
          ended.push_back(member);
          must_end = must_end || (end_[member] == end && sequences_[member].wants_last_row);
          continue;
        }
        const auto [entry, is_new] =
            branch_of.try_emplace(sequences_[member].rows[end], branches.size());
        if (is_new) branches.emplace_back();
        branches[entry->second].push_back(member);
      }
      if (branches.size() != 1 || (must_end && end > start)) break;
      ++end;
    }

    const int64_t saved_rows =
        (static_cast<int64_t>(branches.size()) - 1) * static_cast<int64_t>(end - start);
    const bool splits = branches.empty() || saved_rows >= options_.min_saved_rows || must_end;
    if (splits && end > start) {
      const auto longest =
          std::max_element(members.begin(), members.end(), [this](int32_t a, int32_t b) {
            return end_[a] < end_[b];  // others may end before the node does
          });
      const auto& rows = sequences_[*longest].rows;
      const int32_t node =
          add_node({rows.begin() + start, rows.begin() + end}, parent, start, Node::kComputed);
      for (const int32_t member : ended) forest_.last_node[member] = node;
      for (const auto& branch : branches) grow(branch, end, node);
      return;
    }
    // What ended before the branching rides along with the first branch.
    branches.front().insert(branches.front().begin(), ended.begin(), ended.end());
    for (const auto& branch : branches) grow(branch, start, parent);
  }

  /// The node on the way to the end of `sequence` that holds the row at `position`.
  int32_t node_at(int32_t sequence, int32_t position) const {
    int32_t node = forest_.last_node[sequence];
    while (forest_.nodes[node].start > position) node = forest_.nodes[node].parent;
    return node;
  }

  void place_outputs() {
    for (size_t i = 0; i < sequences_.size(); ++i) {
      const auto sequence = static_cast<int32_t>(i);
      int32_t index = 0;
      for (const int32_t position : sequences_[i].target_positions) {
        const int32_t node = node_at(sequence, position - 1);
        forest_.targets.push_back({.node = node,
                                   .row = position - 1 - forest_.nodes[node].start,
                                   .token_id = sequences_[i].rows[position].index,
                                   .weight = sequences_[i].target_weight,
                                   .sequence = sequence,
                                   .index = index++});
      }
      if (sequences_[i].wants_last_row) {
        const int32_t node = node_at(sequence, end_[i] - 1);
        forest_.wanted.push_back({node, end_[i] - 1 - forest_.nodes[node].start, sequence});
      }
    }
  }

  std::span<const Sequence> sequences_;
  ForestOptions options_;
  std::vector<int32_t> end_;  // used_rows of each sequence
  Forest forest_;
};

}  // namespace

int64_t Forest::num_rows() const {
  int64_t count = 0;
  for (const Node& node : nodes) {
    if (node.given == Node::kComputed) count += static_cast<int64_t>(node.rows.size());
  }
  return count;
}

Forest build_forest(std::span<const Sequence> sequences,
                    std::span<const std::vector<Row>> given,
                    const ForestOptions& options) {
  return Builder(sequences, options).build(given);
}

int64_t num_unshared_rows(std::span<const Sequence> sequences) {
  int64_t count = 0;
  for (const Sequence& sequence : sequences) count += used_rows(sequence);
  return count;
}

int64_t num_padded_rows(std::span<const Sequence> sequences) {
  size_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.rows.size());
  return static_cast<int64_t>(longest * sequences.size());
}

}  // namespace prescript
