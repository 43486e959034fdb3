#pragma once
// The prefix forest: sequences that begin alike share the rows they begin with (DESIGN section 3).

#include <cstdint>
#include <span>
#include <vector>

#include "forest/sequence.h"

namespace prescript {

/// A run of rows and a parent. It starts at its parent's end, so positions follow from the tree. A
/// row sees every row of its node's ancestors and, causally, its own node.
struct Node {
  static constexpr int32_t kRoot = -1;
  static constexpr int32_t kComputed = -1;

  int32_t parent = kRoot;
  int32_t start = 0;  // position of its first row
  std::vector<Row> rows;
  std::vector<int32_t> children;  // ascending
  int32_t given = kComputed;      // index of the given prefix whose K/V stand for this node
  bool needs_gradient = false;    // a trainable row is in it or above it
};

/// A token to be predicted by a row of a node; a row may have several.
struct Target {
  int32_t node = 0;
  int32_t row = 0;  // index in the node
  int32_t token_id = 0;
  float weight = 0;
  int32_t sequence = 0;  // which sequence asked for it, and as its how-manieth target
  int32_t index = 0;
};

/// A row whose final hidden state a sequence wants (Sequence::wants_last_row).
struct WantedRow {
  int32_t node = 0;
  int32_t row = 0;
  int32_t sequence = 0;
};

struct ForestOptions {
  bool share = true;  // false: every sequence is a tree of its own
  /// A branch is split off the common run of its sequences only where that saves at least this many
  /// rows: a node costs attention parts and kernel launches of its own.
  int64_t min_saved_rows = 8;
};

struct Forest {
  std::vector<Node> nodes;  // in depth-first pre-order
  std::vector<Target> targets;
  std::vector<WantedRow> wanted;
  std::vector<int32_t>
      last_node;  // of each sequence; the sequence may end inside it, unless its end is wanted

  int64_t num_rows() const;  // computed ones: rows of given nodes do not count
};

/// The trie of whole sequences, up to each one's last row that leads to a target. Branches too
/// short to pay are not split; chains of single children are merged, except where a wanted row ends
/// a node. A sequence without targets is taken whole. `given` are runs of first rows whose K/V
/// exist already: a sequence hangs below the longest that it starts with and that ends before its
/// first output. Siblings are ordered by first occurrence. Throws ContractError on malformed
/// sequences.
Forest build_forest(std::span<const Sequence> sequences,
                    std::span<const std::vector<Row>> given,
                    const ForestOptions& options);

/// Rows that the sequences would take one by one, each up to its last row that leads to a target.
int64_t num_unshared_rows(std::span<const Sequence> sequences);

/// Rows of the sequences padded to the longest, as trainers without packing feed them, last tokens
/// included.
int64_t num_padded_rows(std::span<const Sequence> sequences);

}  // namespace prescript
