#pragma once
// Sequences that begin alike in every way there is: nested, equal, one the beginning of another.

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "forest/sequence.h"

namespace prescript {

/// Batch number `index`: up to 12 sequences of up to 40 rows over three tokens and two soft prompts
/// of two virtual tokens; most begin as an earlier one does.
inline std::vector<Sequence> random_sequences(uint64_t index) {
  RandomStream random(7, "sequences", index);
  const auto random_row = [&] {
    if (random.below(20) > 0) return Row::token(static_cast<int32_t>(random.below(3)));
    return Row::virtual_token(static_cast<int32_t>(random.below(2)),
                              static_cast<int32_t>(random.below(2)));
  };
  std::vector<Sequence> sequences(1 + random.below(12));
  for (size_t i = 0; i < sequences.size(); ++i) {
    std::vector<Row>& rows = sequences[i].rows;
    if (i > 0 && random.below(5) > 0) {
      const std::vector<Row>& earlier = sequences[random.below(i)].rows;
      rows.assign(earlier.begin(),
                  earlier.begin() + static_cast<int64_t>(random.below(earlier.size() + 1)));
    }
    for (uint64_t more = random.below(20); more > 0 || rows.empty(); --more) {
      rows.push_back(random_row());
      if (more == 0) break;
    }
    const auto num_targets = random.below(5);
    std::vector<int32_t>& targets = sequences[i].target_positions;
    for (uint64_t t = 0; t < num_targets; ++t) {
      const auto position = static_cast<int32_t>(random.below(rows.size()));
      if (position > 0 && !rows[position].is_virtual()) targets.push_back(position);
    }
    std::sort(targets.begin(), targets.end());
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    sequences[i].target_weight = static_cast<float>(i + 1);
    sequences[i].wants_last_row = random.below(4) == 0;
  }
  return sequences;
}

}  // namespace prescript
