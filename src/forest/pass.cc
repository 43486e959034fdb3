#include "forest/pass.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace prescript {
namespace {

constexpr int32_t kNone = -1;

/// Everything about a forest that cutting it needs, by node.
struct Layout {
  std::vector<int32_t> subtree_end;   // the subtree of node n is nodes [n, subtree_end[n])
  std::vector<int64_t> subtree_rows;  // computed rows in it

  explicit Layout(const Forest& forest)
      : subtree_end(forest.nodes.size()), subtree_rows(forest.nodes.size()) {
    for (size_t i = forest.nodes.size(); i-- > 0;) {
      const Node& node = forest.nodes[i];
      const bool computed = node.given == Node::kComputed;
      subtree_rows[i] += computed ? static_cast<int64_t>(node.rows.size()) : 0;
      subtree_end[i] = std::max(subtree_end[i], static_cast<int32_t>(i) + 1);
      if (node.parent == Node::kRoot) continue;
      subtree_rows[node.parent] += subtree_rows[i];
      subtree_end[node.parent] = std::max(subtree_end[node.parent], subtree_end[i]);
    }
  }
};

/// Whether several passes may stand on a node: it joins the first. A leaf never does, however
/// large.
bool is_divided(const Forest& forest, const Layout& layout, size_t node, int64_t max_rows) {
  return !forest.nodes[node].children.empty() && layout.subtree_rows[node] > max_rows;
}

/// Consecutive nodes that are whole trees.
struct NodeRange {
  int32_t begin = 0;
  int32_t end = 0;
};

/// The nodes in `range` that the first pass must hold.
std::vector<int32_t> divided_nodes(const Forest& forest,
                                   const Layout& layout,
                                   NodeRange range,
                                   int64_t max_rows) {
  std::vector<int32_t> nodes;
  for (int32_t i = range.begin; i < range.end; ++i) {
    const bool computed = forest.nodes[i].given == Node::kComputed;
    if (computed && is_divided(forest, layout, i, max_rows)) nodes.push_back(i);
  }
  return nodes;
}

int64_t rows_of(const Forest& forest, std::span<const int32_t> nodes) {
  int64_t rows = 0;
  for (const int32_t node : nodes) rows += static_cast<int64_t>(forest.nodes[node].rows.size());
  return rows;
}

/// The nodes of each pass over `range`, ascending.
std::vector<std::vector<int32_t>> divide(const Forest& forest,
                                         const Layout& layout,
                                         NodeRange range,
                                         int64_t max_rows) {
  std::vector<std::vector<int32_t>> passes = {divided_nodes(forest, layout, range, max_rows)};
  int64_t rows = rows_of(forest, passes[0]);
  for (int32_t i = range.begin; i < range.end;) {
    if (forest.nodes[i].given != Node::kComputed || is_divided(forest, layout, i, max_rows)) {
      ++i;
      continue;
    }
    if (rows > 0 && rows + layout.subtree_rows[i] > max_rows) {
      passes.emplace_back();
      rows = 0;
    }
    rows += layout.subtree_rows[i];
    for (const int32_t end = layout.subtree_end[i]; i < end; ++i) passes.back().push_back(i);
  }
  std::sort(passes[0].begin(), passes[0].end());
  return passes;
}

class PassBuilder {
 public:
  PassBuilder(const Forest& forest, const Layout& layout, const std::vector<int32_t>& kept_run_of)
      : forest_(forest), layout_(layout), kept_run_of_(kept_run_of) {}

  Pass build(const std::vector<int32_t>& nodes) {
    row_begin_.assign(forest_.nodes.size(), kNone);
    Pass pass;
    for (const int32_t node : nodes) append_rows(node, pass);
    for (int32_t node = 0; node < static_cast<int32_t>(forest_.nodes.size()); ++node) {
      append_parts(nodes, node, pass);
    }
    append_outputs(pass);
    pass.output_parts = parts_of_rows(pass.parts, pass.output_rows);
    return pass;
  }

 private:
  void append_rows(int32_t index, Pass& pass) {
    const Node& node = forest_.nodes[index];
    const auto num_rows = static_cast<int32_t>(node.rows.size());
    row_begin_[index] = static_cast<int32_t>(pass.rows.size());
    pass.rows.insert(pass.rows.end(), node.rows.begin(), node.rows.end());
    for (int32_t i = 0; i < num_rows; ++i) pass.positions.push_back(node.start + i);
    if (kept_run_of_[index] != kNone) {
      pass.kept.push_back({row_begin_[index], num_rows, kept_run_of_[index], 0});
    }
  }

  /// The parts whose keys are the rows of node `index`.
  void append_parts(const std::vector<int32_t>& nodes, int32_t index, Pass& pass) const {
    const Node& node = forest_.nodes[index];
    const auto num_keys = static_cast<int32_t>(node.rows.size());
    const bool here = row_begin_[index] != kNone;
    const auto below = std::upper_bound(nodes.begin(), nodes.end(), index);
    const auto behind = std::lower_bound(nodes.begin(), nodes.end(), layout_.subtree_end[index]);
    if (below < behind) {
      const int32_t last = *(behind - 1);
      const int32_t query_begin = row_begin_[*below];
      const int32_t query_end =
          row_begin_[last] + static_cast<int32_t>(forest_.nodes[last].rows.size());
      PRESCRIPT_CHECK(here || kept_run_of_[index] != kNone, "an ancestor is neither here nor kept");
      pass.parts.push_back({.query_begin = query_begin,
                            .num_queries = query_end - query_begin,
                            .source = here ? Part::kThisPass : 1 + kept_run_of_[index],
                            .key_begin = here ? row_begin_[index] : 0,
                            .num_keys = num_keys,
                            .causal_offset = Part::kNoMask,
                            .key_position = node.start});
    }
    if (here) {
      pass.parts.push_back({.query_begin = row_begin_[index],
                            .num_queries = num_keys,
                            .source = Part::kThisPass,
                            .key_begin = row_begin_[index],
                            .num_keys = num_keys,
                            .causal_offset = 0,
                            .key_position = node.start});
    }
  }

  void append_outputs(Pass& pass) const {
    for (const Target& target : forest_.targets) {
      if (row_begin_[target.node] != kNone) {
        pass.output_rows.push_back(row_begin_[target.node] + target.row);
      }
    }
    for (const WantedRow& wanted : forest_.wanted) {
      if (row_begin_[wanted.node] != kNone) {
        pass.output_rows.push_back(row_begin_[wanted.node] + wanted.row);
      }
    }
    auto& rows = pass.output_rows;
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    const auto output_row = [&](int32_t node, int32_t row) {
      const auto found = std::lower_bound(rows.begin(), rows.end(), row_begin_[node] + row);
      return static_cast<int32_t>(found - rows.begin());
    };
    for (size_t i = 0; i < forest_.targets.size(); ++i) {
      const Target& target = forest_.targets[i];
      if (row_begin_[target.node] == kNone) continue;
      pass.targets.push_back({output_row(target.node, target.row),
                              target.token_id,
                              target.weight,
                              static_cast<int32_t>(i)});
    }
    for (const WantedRow& wanted : forest_.wanted) {
      if (row_begin_[wanted.node] == kNone) continue;
      pass.wanted.push_back({output_row(wanted.node, wanted.row), wanted.sequence});
    }
  }

  const Forest& forest_;
  const Layout& layout_;
  const std::vector<int32_t>& kept_run_of_;
  std::vector<int32_t> row_begin_;  // of each node in the pass, or kNone
};

/// Nodes that rows of another pass see, given nodes, or all.
std::vector<bool> nodes_to_keep(const Forest& forest,
                                const std::vector<std::vector<int32_t>>& divided,
                                bool keep_all) {
  std::vector<int32_t> pass_of(forest.nodes.size(), kNone);
  for (size_t p = 0; p < divided.size(); ++p) {
    for (const int32_t node : divided[p]) pass_of[node] = static_cast<int32_t>(p);
  }
  std::vector<bool> keep(forest.nodes.size(), keep_all);
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    if (forest.nodes[i].given != Node::kComputed) keep[i] = true;
    for (int32_t up = forest.nodes[i].parent; up != Node::kRoot; up = forest.nodes[up].parent) {
      if (pass_of[up] != pass_of[i]) keep[up] = true;
    }
  }
  return keep;
}

}  // namespace

namespace {

/// Keys [begin, end) of a part without a mask.
Part part_of_keys(const Part& part, int32_t begin, int32_t end) {
  Part piece = part;
  piece.key_begin += begin;
  piece.num_keys = end - begin;
  piece.key_position += begin;
  return piece;
}

}  // namespace

std::vector<Part> parts_in_window(std::span<const Part> parts,
                                  std::span<const int32_t> positions,
                                  int64_t window) {
  std::vector<Part> result;
  for (const Part& part : parts) {
    const auto queries = positions.subspan(part.query_begin, part.num_queries);
    // The first key in the window of a query at a position; before the run's, if negative.
    const auto offset_at = [&](int32_t position, const Part& of) {
      return static_cast<int32_t>(position - window + 1 - of.key_position);
    };
    const auto first_key = [&](int32_t position) {
      return std::clamp(offset_at(position, part), 0, part.num_keys);
    };
    const int32_t seen_by_all = first_key(*std::max_element(queries.begin(), queries.end()));
    if (part.causal_offset != Part::kNoMask) {  // a run of neighbours
      result.push_back(part);
      if (seen_by_all > 0) result.back().window_offset = offset_at(queries[0], part);
      continue;
    }
    // Keys that some queries see and others do not, by runs of neighbours.
    for (int32_t begin = 0; begin < part.num_queries;) {
      int32_t end = begin + 1;
      while (end < part.num_queries && queries[end] == queries[end - 1] + 1) ++end;
      if (const int32_t key = first_key(queries[begin]); key < seen_by_all) {
        Part piece = part_of_keys(part, key, seen_by_all);
        piece.query_begin += begin;
        piece.num_queries = end - begin;
        piece.window_offset = offset_at(queries[begin], piece);
        result.push_back(piece);
      }
      begin = end;
    }
    if (seen_by_all < part.num_keys) {
      result.push_back(part_of_keys(part, seen_by_all, part.num_keys));
    }
  }
  return result;
}

std::vector<Part> parts_of_rows(std::span<const Part> parts, std::span<const int32_t> output_rows) {
  std::vector<Part> result;
  for (const Part& part : parts) {
    const auto first = std::lower_bound(output_rows.begin(), output_rows.end(), part.query_begin);
    const auto last =
        std::lower_bound(first, output_rows.end(), part.query_begin + part.num_queries);
    for (auto run = first; run < last;) {
      auto run_end = run + 1;
      // Under a mask only neighbours form a run; without one all rows do.
      while (run_end < last && (!part.is_masked() || *run_end == *(run_end - 1) + 1)) ++run_end;
      Part restricted = part;
      restricted.query_begin = static_cast<int32_t>(run - output_rows.begin());
      restricted.num_queries = static_cast<int32_t>(run_end - run);
      const int32_t skipped = *run - part.query_begin;
      if (part.causal_offset != Part::kNoMask) restricted.causal_offset += skipped;
      if (part.window_offset != Part::kNoWindow) restricted.window_offset += skipped;
      result.push_back(restricted);
      run = run_end;
    }
  }
  return result;
}

namespace {

Schedule schedule_of(
    const Forest& forest, const Layout& layout, NodeRange range, int64_t max_rows, bool keep_all) {
  PRESCRIPT_CHECK(max_rows >= 1, "max_rows " + std::to_string(max_rows));
  const auto divided = divide(forest, layout, range, max_rows);
  const auto keep = nodes_to_keep(forest, divided, keep_all);

  Schedule schedule;
  std::vector<int32_t> kept_run_of(forest.nodes.size(), kNone);
  for (size_t i = 0; i < forest.nodes.size(); ++i) {
    if (!keep[i]) continue;
    const Node& node = forest.nodes[i];
    kept_run_of[i] = static_cast<int32_t>(schedule.kept_runs.size());
    schedule.kept_runs.push_back({.node = static_cast<int32_t>(i),
                                  .num_rows = static_cast<int32_t>(node.rows.size()),
                                  .given = node.given,
                                  .needs_gradient = node.needs_gradient});
  }
  PassBuilder builder(forest, layout, kept_run_of);
  for (const auto& nodes : divided) schedule.passes.push_back(builder.build(nodes));
  return schedule;
}

}  // namespace

Schedule make_schedule(const Forest& forest, int64_t max_rows, bool keep_all) {
  const NodeRange all{0, static_cast<int32_t>(forest.nodes.size())};
  return schedule_of(forest, Layout(forest), all, max_rows, keep_all);
}

std::vector<Schedule> make_schedules(const Forest& forest, int64_t max_rows) {
  const Layout layout(forest);
  std::vector<Schedule> schedules;
  NodeRange trees;
  int64_t held_rows = 0;  // of the nodes in `trees` that several passes need
  const auto cut = [&] {
    schedules.push_back(schedule_of(forest, layout, trees, max_rows, /*keep_all=*/false));
    trees.begin = trees.end;
    held_rows = 0;
  };
  while (trees.end < static_cast<int32_t>(forest.nodes.size())) {
    const bool computed = forest.nodes[trees.end].given == Node::kComputed;
    const NodeRange tree{trees.end, computed ? layout.subtree_end[trees.end] : trees.end + 1};
    const int64_t rows = rows_of(forest, divided_nodes(forest, layout, tree, max_rows));
    if (held_rows > 0 && rows > 0 && held_rows + rows > max_rows) cut();
    held_rows += rows;
    trees.end = tree.end;
  }
  cut();
  return schedules;
}

}  // namespace prescript
