#include "ops/cpu_attention_schedule.h"

#include <algorithm>

namespace prescript::cpu {
namespace {

/// Chains of at least this share of what a thread has to do in a level are shared: below it the
/// others make up for them.
constexpr double kLargeShare = 0.25;

double work_of(const PartChain& chain) {
  double pairs = 0;
  for (const Part& part : chain) pairs += static_cast<double>(part.num_queries) * part.num_keys;
  return pairs;
}

/// Neighbours with the same keys.
std::vector<PartChain> chains_of(std::span<const Part> parts) {
  std::vector<PartChain> chains;
  for (const Part& part : parts) {
    const Part* const last = chains.empty() ? nullptr : &chains.back().back();
    const bool joins = last != nullptr && last->causal_offset != Part::kNoMask &&
                       part.causal_offset != Part::kNoMask && last->source == part.source &&
                       last->key_begin == part.key_begin && last->num_keys == part.num_keys;
    if (!joins) chains.emplace_back();
    chains.back().push_back(part);
  }
  return chains;
}

/// Levels of what stands on rows so far.
class Rows {
 public:
  explicit Rows(int64_t count) : levels_(count, 0) {}

  /// The first level at which rows [begin, begin + count) are free.
  int32_t free_level(int64_t begin, int64_t count) const {
    return *std::max_element(levels_.begin() + begin, levels_.begin() + begin + count);
  }
  void take(int64_t begin, int64_t count, int32_t level) {
    std::fill_n(levels_.begin() + begin, count, level + 1);
  }

 private:
  std::vector<int32_t> levels_;
};

}  // namespace

std::vector<PartLevel> levels_of(std::span<const Part> parts,
                                 int64_t num_queries,
                                 std::span<const KeyValues> sources) {
  Rows queries(num_queries);
  std::vector<Rows> keys;
  for (const KeyValues& source : sources) keys.emplace_back(source.k.rows);
  std::vector<PartLevel> levels;
  for (PartChain& chain : chains_of(parts)) {
    int32_t level = 0;
    for (const Part& part : chain) {
      level = std::max({level,
                        queries.free_level(part.query_begin, part.num_queries),
                        keys[part.source].free_level(part.key_begin, part.num_keys)});
    }
    for (const Part& part : chain) {
      queries.take(part.query_begin, part.num_queries, level);
      keys[part.source].take(part.key_begin, part.num_keys, level);
    }
    if (level == std::ssize(levels)) levels.emplace_back();
    levels[level].push_back(std::move(chain));
  }
  return levels;
}

std::vector<bool> shared_chains(const PartLevel& level, int64_t num_heads) {
  double total = 0;
  for (const PartChain& chain : level) total += work_of(chain);
  std::vector<bool> is_shared;
  for (const PartChain& chain : level) {
    const double share = work_of(chain) / static_cast<double>(num_heads) *
                         static_cast<double>(num_threads()) / total;
    is_shared.push_back(share > kLargeShare);
  }
  return is_shared;
}

}  // namespace prescript::cpu
