#pragma once
// The order in which the parts of a pass are computed.

#include <span>
#include <vector>

#include "ops/cpu_parallel.h"
#include "ops/ops.h"

namespace prescript::cpu {

/// Parts that one thread may take one after the other: they have their keys in common.
using PartChain = std::vector<Part>;

/// Chains that write to no row in common, neither of queries nor of keys.
using PartLevel = std::vector<PartChain>;

/// Levels in the order in which they have to be computed: for every row of queries and of keys the
/// order of `parts` is kept.
std::vector<PartLevel> levels_of(std::span<const Part> parts,
                                 int64_t num_queries,
                                 std::span<const KeyValues> sources);

/// Whether a chain is so large a part of its level that the threads had better share it.
std::vector<bool> shared_chains(const PartLevel& level, int64_t num_heads);

/// Calls `run(part, head)` for all parts and kv heads. Large chains come first, one head after the
/// other: `run` spreads each over the threads. The others are spread themselves, by chain and head;
/// parallel loops inside `run` are then plain loops.
template <typename Run>
void for_parts(std::span<const PartLevel> levels, int64_t num_heads, const Run& run) {
  for (const PartLevel& level : levels) {
    const std::vector<bool> is_shared = shared_chains(level, num_heads);
    std::vector<const PartChain*> small;
    for (size_t c = 0; c < level.size(); ++c) {
      if (!is_shared[c]) {
        small.push_back(&level[c]);
        continue;
      }
      for (const Part& part : level[c]) {
        for (int64_t head = 0; head < num_heads; ++head) run(part, head);
      }
    }
    for_each_item(std::ssize(small) * num_heads, [&](int64_t item) {
      for (const Part& part : *small[item / num_heads]) run(part, item % num_heads);
    });
  }
}

}  // namespace prescript::cpu
