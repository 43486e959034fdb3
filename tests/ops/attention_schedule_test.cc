// The order of parts in the cpu backend.

#include <algorithm>

#include <gtest/gtest.h>

#include "forest/random_sequences.h"
#include "ops/cpu_attention_schedule.h"
#include "ops/cpu_parallel.h"

namespace prescript::cpu {
namespace {

bool overlap(int64_t a, int64_t num_a, int64_t b, int64_t num_b) {
  return a < b + num_b && b < a + num_a;
}

bool touch_the_same_rows(const Part& a, const Part& b) {
  return overlap(a.query_begin, a.num_queries, b.query_begin, b.num_queries) ||
         (a.source == b.source && overlap(a.key_begin, a.num_keys, b.key_begin, b.num_keys));
}

bool same(const Part& a, const Part& b) {
  return a.query_begin == b.query_begin && a.num_queries == b.num_queries && a.source == b.source &&
         a.key_begin == b.key_begin && a.num_keys == b.num_keys &&
         a.causal_offset == b.causal_offset;
}

struct Place {
  size_t level = 0;
  size_t chain = 0;
  size_t index = 0;
};

Place place_of(const Part& part, const std::vector<PartLevel>& levels) {
  for (size_t level = 0; level < levels.size(); ++level) {
    for (size_t chain = 0; chain < levels[level].size(); ++chain) {
      for (size_t index = 0; index < levels[level][chain].size(); ++index) {
        if (same(part, levels[level][chain][index])) return {level, chain, index};
      }
    }
  }
  ADD_FAILURE() << "a part is in no level";
  return {};
}

/// Parts that touch the same rows come in their order: in levels one after the other, or in one
/// chain.
void expect_order(std::span<const Part> parts,
                  int64_t num_queries,
                  std::span<const KeyValues> sources) {
  const std::vector<PartLevel> levels = levels_of(parts, num_queries, sources);
  size_t num_parts = 0;
  for (const PartLevel& level : levels) {
    for (const PartChain& chain : level) num_parts += chain.size();
  }
  EXPECT_EQ(num_parts, parts.size());
  for (size_t a = 0; a < parts.size(); ++a) {
    for (size_t b = a + 1; b < parts.size(); ++b) {
      if (!touch_the_same_rows(parts[a], parts[b])) continue;
      const Place first = place_of(parts[a], levels);
      const Place second = place_of(parts[b], levels);
      if (first.level == second.level) {
        EXPECT_EQ(first.chain, second.chain);
        EXPECT_LT(first.index, second.index);
      } else {
        EXPECT_LT(first.level, second.level);
      }
    }
  }
}

TEST(AttentionSchedule, PartsThatTouchTheSameRowsKeepTheirOrder) {
  for (uint64_t index = 0; index < 16; ++index) {
    SCOPED_TRACE(index);
    const Forest forest = build_forest(random_sequences(index), {}, {.min_saved_rows = 1});
    const Schedule schedule = make_schedule(forest, index % 2 == 0 ? 1000 : 15);
    for (const Pass& pass : schedule.passes) {
      std::vector<KeyValues> sources(1);
      sources[0].k.rows = pass.num_rows();
      for (const KeptRun& run : schedule.kept_runs) {
        sources.emplace_back();
        sources.back().k.rows = run.num_rows;
      }
      expect_order(pass.parts, pass.num_rows(), sources);
      expect_order(pass.output_parts, pass.num_output_rows(), sources);
    }
  }
}

TEST(AttentionSchedule, LeavesOfARootAreOneLevel) {
  constexpr int32_t kLeaves = 5;
  std::vector<Part> parts{{.query_begin = 10, .num_queries = 3 * kLeaves, .num_keys = 10}};
  for (int32_t i = 0; i < kLeaves; ++i) {
    const int32_t begin = 10 + 3 * i;
    parts.push_back({.query_begin = begin,
                     .num_queries = 3,
                     .key_begin = begin,
                     .num_keys = 3,
                     .causal_offset = 0});
  }
  KeyValues source;
  source.k.rows = 10 + 3 * kLeaves;
  const auto levels = levels_of(parts, source.k.rows, std::span(&source, 1));
  ASSERT_EQ(levels.size(), 2U);
  EXPECT_EQ(levels[0].size(), 1U);
  EXPECT_EQ(levels[1].size(), static_cast<size_t>(kLeaves));
}

TEST(AttentionSchedule, OnlyALargePartOfALevelIsShared) {
  const Part large{.num_queries = 100, .num_keys = 100};
  const Part small{.num_queries = 1, .num_keys = 1};
  set_num_threads(2);
  const std::vector<bool> shared = shared_chains({{small}, {large}, {small}}, 1);
  EXPECT_EQ(shared, (std::vector<bool>{false, true, false}));
}

}  // namespace
}  // namespace prescript::cpu
