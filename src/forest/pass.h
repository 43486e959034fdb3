#pragma once
// Passes and parts: a forest cut into pieces that are computed one after the other (DESIGN section
// 3).

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "forest/forest.h"

namespace prescript {

/// The one attention primitive: a run of query rows against a run of key rows. Query j of the run
/// sees key i of the run iff i <= causal_offset + j, or every key when there is no mask, and
/// i >= window_offset + j, if it is part of a window.
struct Part {
  static constexpr int32_t kNoMask = -1;
  static constexpr int32_t kNoWindow = std::numeric_limits<int32_t>::min();
  static constexpr int32_t kThisPass = 0;  // sources 1, 2, ... are the kept runs 0, 1, ...

  int32_t query_begin = 0;
  int32_t num_queries = 0;
  int32_t source = kThisPass;
  int32_t key_begin = 0;
  int32_t num_keys = 0;
  int32_t causal_offset = kNoMask;
  int32_t window_offset = kNoWindow;
  int32_t key_position = 0;  // of the first key; the others follow one by one

  /// Whether what a query sees depends on where it stands in the run.
  bool is_masked() const { return causal_offset != kNoMask || window_offset != kNoWindow; }
};

/// Rows of a pass whose K/V outlive it: they are copied into a kept run, from row `kept_begin` of
/// it on.
struct KeptRows {
  int32_t row_begin = 0;
  int32_t num_rows = 0;
  int32_t run = 0;
  int32_t kept_begin = 0;
};

/// A target as the head sees it: `output_row` indexes Pass::output_rows.
struct PassTarget {
  int32_t output_row = 0;
  int32_t token_id = 0;
  float weight = 0;
  int32_t forest_target = 0;  // index in Forest::targets
};

/// A wanted hidden state: `output_row` indexes Pass::output_rows.
struct WantedOutput {
  int32_t output_row = 0;
  int32_t sequence = 0;
};

/// Rows that go through the decoder together, in depth-first pre-order, so that all that lies below
/// a node is one contiguous range behind it. Only attention knows the tree.
struct Pass {
  std::vector<Row> rows;
  std::vector<int32_t> positions;
  /// Parts of all rows, ordered by the node that holds the keys, from roots to leaves; a node's
  /// tall part (all below it, no mask) stands before its own causal part. Forward merges a row's
  /// parts in this order; backward accumulates K/V gradients in it.
  std::vector<Part> parts;
  /// Rows whose final hidden state is wanted, ascending: the only ones that pass the last layer's
  /// K/V.
  std::vector<int32_t> output_rows;
  std::vector<Part> output_parts;  // parts of the last layer: queries index output_rows
  std::vector<PassTarget> targets;
  std::vector<WantedOutput> wanted;
  std::vector<KeptRows> kept;

  int64_t num_rows() const { return static_cast<int64_t>(rows.size()); }
  int64_t num_output_rows() const { return static_cast<int64_t>(output_rows.size()); }
};

/// A node whose K/V are kept while other passes read them.
struct KeptRun {
  int32_t node = 0;
  int32_t num_rows = 0;
  int32_t given = Node::kComputed;  // its K/V exist already
  bool needs_gradient = false;
};

/// The passes of a forest, in the order of their forwards. The first holds, besides its share of
/// the leaves, every node that several passes need; training runs the backward of pass 0 last, when
/// the others have added their K/V gradients to the kept runs.
struct Schedule {
  std::vector<Pass> passes;
  std::vector<KeptRun> kept_runs;
};

/// Cuts `forest` into passes of at most `max_rows` rows, where its nodes allow: a subtree is
/// divided only where it alone is larger, and a node never. With `keep_all` every node becomes a
/// kept run (kept run i is node i), for sequences that will grow. Throws ContractError when
/// max_rows < 1.
Schedule make_schedule(const Forest& forest, int64_t max_rows, bool keep_all = false);

/// The same for a forest whose trees (below a root or a given node) need not be computed together:
/// several schedules, one to be run after the other, each of consecutive trees. Trees share one as
/// long as the nodes that several of its passes need have at most `max_rows` rows in all, so that
/// many trees hold no more at a time than one.
std::vector<Schedule> make_schedules(const Forest& forest, int64_t max_rows);

/// `parts`, without a window yet, restricted to the keys that lie less than `window` positions
/// before their query. `positions` are those of the query rows.
std::vector<Part> parts_in_window(std::span<const Part> parts,
                                  std::span<const int32_t> positions,
                                  int64_t window);

/// `parts` restricted to the query rows `output_rows` (ascending), which become queries 0, 1, ...
std::vector<Part> parts_of_rows(std::span<const Part> parts, std::span<const int32_t> output_rows);

}  // namespace prescript
