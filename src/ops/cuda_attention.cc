#include "ops/cuda_attention.h"

#include <algorithm>
#include <cstring>
#include <numbers>
#include <numeric>

#include "base/error.h"

namespace prescript {
namespace {

using cuda::AttentionGroup;
using cuda::AttentionKernels;
using cuda::AttentionPart;

// Folded rows up to which a tile of many rows would be mostly empty.
constexpr int64_t kFewRows = 64;

struct Range {
  int32_t begin = 0;
  int32_t end = 0;

  bool is_empty() const { return begin >= end; }
  bool overlaps(Range other) const { return begin < other.end && other.begin < end; }
  bool touches(Range other) const { return begin <= other.end && other.begin <= end; }
};

bool is_aligned(const Tensor& x, size_t bytes) {
  return reinterpret_cast<uintptr_t>(x.data) % bytes == 0 &&
         (x.rows <= 1 || x.stride * size_of(x.dtype) % bytes == 0);
}

bool has_matrix_kernels(const AttentionShape& shape,
                        Tensor q_NHE,
                        std::span<const KeyValues> sources) {
  return q_NHE.dtype == DType::kBFloat16 && cuda::has_matrix_kernels(shape.head_size) &&
         is_aligned(q_NHE, 16) && std::ranges::all_of(sources, [](const KeyValues& source) {
           return is_aligned(source.k, 16) && is_aligned(source.v, 16);
         });
}

AttentionKernels kernels_for_many_rows(AttentionPlan::Products products, int64_t head_size) {
  return products == AttentionPlan::Products::kOfWarpgroups &&
                 cuda::has_warpgroup_kernels(head_size)
             ? AttentionKernels::kWarpgroup
             : AttentionKernels::kMatrix;
}

AttentionPart device_part(const Part& part) {
  AttentionPart result{.query_begin = part.query_begin,
                       .query_end = part.query_begin + part.num_queries,
                       .key_begin = part.key_begin,
                       .key_end = part.key_begin + part.num_keys};
  const int32_t shift = part.key_begin - part.query_begin;
  if (part.causal_offset != Part::kNoMask) result.causal_shift = part.causal_offset + shift;
  if (part.window_offset != Part::kNoWindow) result.window_shift = part.window_offset + shift;
  return result;
}

/// Keys that some of the part's queries see.
Range seen_keys(const AttentionPart& part) {
  return {std::max(part.key_begin, part.query_begin + part.window_shift),
          std::min(part.key_end, part.query_end + part.causal_shift)};
}

/// Queries of the part that see some of `keys`.
Range seeing_queries(const AttentionPart& part, Range keys) {
  return {std::max(part.query_begin, keys.begin - part.causal_shift),
          std::min(part.query_end, keys.end - part.window_shift)};
}

/// Joins the parts of one tile, which come in their order, to groups that are passed over at once.
class Groups {
 public:
  Groups(std::vector<AttentionGroup>& groups, std::vector<AttentionPart>& parts)
      : groups_(groups), parts_(parts), first_(groups.size()) {}

  /// `passed`: the keys, or the queries, that the tile meets in the part.
  void add(int32_t source, const AttentionPart& part, Range passed) {
    if (!joins(source, part, passed)) {
      groups_.push_back({.begin = passed.begin,
                         .end = passed.end,
                         .source = source,
                         .first_part = static_cast<int32_t>(parts_.size())});
      queries_ = {part.query_begin, part.query_end};
    }
    AttentionGroup& group = groups_.back();
    group.begin = std::min(group.begin, passed.begin);
    group.end = std::max(group.end, passed.end);
    ++group.num_parts;
    queries_.begin = std::min(queries_.begin, part.query_begin);
    queries_.end = std::max(queries_.end, part.query_end);
    parts_.push_back(part);
  }

  std::span<AttentionGroup> made() const { return std::span(groups_).subspan(first_); }

 private:
  bool joins(int32_t source, const AttentionPart& part, Range passed) const {
    if (groups_.size() == first_) return false;
    const AttentionGroup& group = groups_.back();
    if (group.source != source || !passed.touches({group.begin, group.end})) return false;
    const Range queries{part.query_begin, part.query_end};
    if (!queries.overlaps(queries_)) return true;
    return std::none_of(
        parts_.end() - group.num_parts, parts_.end(), [queries](const AttentionPart& other) {
          return queries.overlaps({other.query_begin, other.query_end});
        });
  }

  std::vector<AttentionGroup>& groups_;
  std::vector<AttentionPart>& parts_;
  size_t first_;
  Range queries_;  // from the first to the last of the latest group
};

/// Which parts meet which tile, both ascending.
class Buckets {
 public:
  /// `tiles_of(part)` gives a range of tiles.
  template <typename TilesOf>
  Buckets(std::span<const Part> parts, size_t num_tiles, const TilesOf& tiles_of)
      : begin_(num_tiles + 1) {
    for (const Part& part : parts) {
      const Range tiles = tiles_of(part);
      for (int32_t t = tiles.begin; t < tiles.end; ++t) ++begin_[t + 1];
    }
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    parts_.resize(begin_.back());
    std::vector<size_t> next(begin_.begin(), begin_.end() - 1);
    for (size_t p = 0; p < parts.size(); ++p) {
      const Range tiles = tiles_of(parts[p]);
      for (int32_t t = tiles.begin; t < tiles.end; ++t) parts_[next[t]++] = p;
    }
  }

  std::span<const size_t> operator[](size_t tile) const {
    return std::span(parts_).subspan(begin_[tile], begin_[tile + 1] - begin_[tile]);
  }

 private:
  std::vector<size_t> begin_;
  std::vector<size_t> parts_;
};

int64_t length(std::span<const AttentionGroup> groups) {
  int64_t sum = 0;
  for (const AttentionGroup& group : groups) sum += group.end - group.begin;
  return sum;
}

/// Blocks start in the order of tiles: the longest first, so that none is left over at the end.
template <typename Tile>
void put_longest_first(std::vector<Tile>& tiles, std::span<const AttentionGroup> groups) {
  std::vector<std::pair<int64_t, size_t>> order;
  order.reserve(tiles.size());
  for (size_t t = 0; t < tiles.size(); ++t) {
    order.emplace_back(-length(groups.subspan(tiles[t].first_group, tiles[t].num_groups)), t);
  }
  std::ranges::sort(order);
  std::vector<Tile> sorted;
  sorted.reserve(tiles.size());
  for (const auto& [length, t] : order) sorted.push_back(tiles[t]);
  tiles = std::move(sorted);
}

/// Tiles of at most `step` keys of each source that has a gradient, where parts have keys.
std::vector<cuda::KeyTile> tiles_of_keys(std::span<const Part> parts,
                                         std::span<const cuda::AttentionSource> sources,
                                         int32_t step) {
  std::vector<std::pair<int32_t, Range>> runs;  // of a source
  for (const Part& part : parts) {
    if (sources[part.source].dk == nullptr) continue;
    runs.push_back({part.source, {part.key_begin, part.key_begin + part.num_keys}});
  }
  std::ranges::sort(
      runs, {}, [](const auto& run) { return std::pair(run.first, run.second.begin); });
  std::vector<cuda::KeyTile> tiles;
  for (size_t i = 0; i < runs.size();) {
    auto [source, run] = runs[i];
    for (++i; i < runs.size() && runs[i].first == source && runs[i].second.touches(run); ++i) {
      run.end = std::max(run.end, runs[i].second.end);
    }
    for (int32_t key = run.begin; key < run.end; key += step) {
      tiles.push_back(
          {.source = source, .key_begin = key, .key_end = std::min(key + step, run.end)});
    }
  }
  return tiles;
}

}  // namespace

AttentionPlan::AttentionPlan(const AttentionShape& shape,
                             AttentionKernels kernels,
                             std::span<const KeyValues> sources,
                             std::span<const KeyValues> gradients)
    : shape_(shape), kernels_(kernels) {
  PRESCRIPT_CHECK(shape.head_size <= cuda::kMaxHeadSize, "attention: head size");
  for (size_t s = 0; s < sources.size(); ++s) {
    cuda::AttentionSource& source = sources_.emplace_back();
    source = {.k = sources[s].k.data,
              .v = sources[s].v.data,
              .k_stride = sources[s].k.stride,
              .v_stride = sources[s].v.stride};
    if (gradients.empty() || gradients[s].k.data == nullptr) continue;
    source.dk = static_cast<float*>(gradients[s].k.data);
    source.dv = static_cast<float*>(gradients[s].v.data);
    source.dk_stride = gradients[s].k.stride;
    source.dv_stride = gradients[s].v.stride;
  }
}

AttentionPlan AttentionPlan::forward(Products products,
                                     const AttentionShape& shape,
                                     std::span<const Part> parts,
                                     Tensor q_NHE,
                                     std::span<const KeyValues> sources,
                                     Tensor out_NHE) {
  AttentionKernels kernels = AttentionKernels::kPlain;
  if (has_matrix_kernels(shape, q_NHE, sources) && is_aligned(out_NHE, 16)) {
    kernels = q_NHE.rows * shape.num_heads / shape.num_kv_heads <= kFewRows
                  ? AttentionKernels::kMatrixFewRows
                  : kernels_for_many_rows(products, shape.head_size);
  }
  AttentionPlan plan(shape, kernels, sources, {});
  plan.cut_queries(parts, q_NHE.rows);
  plan.divide_query_tiles();
  put_longest_first(plan.query_tiles_, plan.groups_);
  return plan;
}

// The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
AttentionPlan AttentionPlan::input_gradient(Products products,
                                            const AttentionShape& shape,
                                            std::span<const Part> parts,
                                            Tensor q_NHE,
                                            std::span<const KeyValues> sources,
                                            Tensor out_NHE,
                                            Tensor dout_NHE,
                                            Tensor dq_NHE,
                                            std::span<const KeyValues> gradients) {
  const bool fits = has_matrix_kernels(shape, q_NHE, sources) && is_aligned(out_NHE, 16) &&
                    is_aligned(dout_NHE, 16) && is_aligned(dq_NHE, 16) &&
                    std::ranges::all_of(gradients, [](const KeyValues& gradient) {
                      return is_aligned(gradient.k, 16) && is_aligned(gradient.v, 16);
                    });
  AttentionPlan plan(
      shape,
      fits ? kernels_for_many_rows(products, shape.head_size) : AttentionKernels::kPlain,
      sources,
      gradients);
  plan.cut_queries(parts, q_NHE.rows);
  plan.cut_keys(parts);
  plan.divide_key_tiles();
  put_longest_first(plan.query_tiles_, plan.groups_);
  put_longest_first(plan.key_tiles_, plan.groups_);
  return plan;
}

void AttentionPlan::cut_queries(std::span<const Part> parts, int64_t num_queries) {
  const int64_t G = group_size();
  const int64_t rows = cuda::query_tile_rows(kernels_, shape_.head_size);
  const int64_t num_tiles = (num_queries * G + rows - 1) / rows;
  const Buckets buckets(parts, num_tiles, [&](const Part& part) {
    const int64_t end = (part.query_begin + part.num_queries) * G;
    return Range{static_cast<int32_t>(part.query_begin * G / rows),
                 static_cast<int32_t>((end + rows - 1) / rows)};
  });
  for (int64_t t = 0; t < num_tiles; ++t) {
    const Range queries{static_cast<int32_t>(t * rows / G),
                        static_cast<int32_t>(((t + 1) * rows + G - 1) / G)};
    Groups groups(groups_, parts_);
    for (const size_t p : buckets[t]) {
      AttentionPart part = device_part(parts[p]);
      part.query_begin = std::max(part.query_begin, queries.begin);
      part.query_end = std::min(part.query_end, queries.end);
      const Range keys = seen_keys(part);
      if (!keys.is_empty()) groups.add(parts[p].source, part, keys);
    }
    const auto num_groups = static_cast<int32_t>(groups.made().size());
    query_tiles_.push_back({.row_begin = static_cast<int32_t>(t * rows),
                            .first_group = static_cast<int32_t>(groups_.size()) - num_groups,
                            .num_groups = num_groups});
  }
}

void AttentionPlan::cut_keys(std::span<const Part> parts) {
  const auto G = static_cast<int32_t>(group_size());
  key_tiles_ = tiles_of_keys(parts, sources_, cuda::key_tile_keys(kernels_, shape_.head_size));
  // Tiles are ordered by source, then key.
  const auto place = [](const cuda::KeyTile& tile) {
    return std::pair(tile.source, tile.key_begin);
  };
  const auto tile_behind = [&](int32_t source, int32_t key) {
    return std::ranges::lower_bound(key_tiles_, std::pair(source, key), {}, place) -
           key_tiles_.begin();
  };
  const Buckets buckets(parts, key_tiles_.size(), [&](const Part& part) {
    if (sources_[part.source].dk == nullptr) return Range{};
    return Range{static_cast<int32_t>(tile_behind(part.source, part.key_begin + 1) - 1),
                 static_cast<int32_t>(tile_behind(part.source, part.key_begin + part.num_keys))};
  });
  for (size_t t = 0; t < key_tiles_.size(); ++t) {
    cuda::KeyTile& tile = key_tiles_[t];
    Groups groups(groups_, parts_);
    for (const size_t p : buckets[t]) {
      AttentionPart part = device_part(parts[p]);
      const Range keys{std::max(part.key_begin, tile.key_begin),
                       std::min(part.key_end, tile.key_end)};
      const Range queries = seeing_queries(part, keys);
      if (queries.is_empty()) continue;
      part.query_begin = queries.begin;
      part.query_end = queries.end;
      groups.add(tile.source, part, queries);
    }
    tile.num_groups = static_cast<int32_t>(groups.made().size());
    tile.first_group = static_cast<int32_t>(groups_.size()) - tile.num_groups;
    for (AttentionGroup& group : groups.made()) {
      group.begin *= G;
      group.end *= G;
    }
  }
}

cuda::AttentionWork AttentionPlan::place(const Stage& stage, void* workspace) const {
  std::vector<std::byte> bytes;
  const auto append = [&bytes](const auto& items) {
    const size_t begin = (bytes.size() + 15) / 16 * 16;
    const size_t size = items.size() * sizeof(items[0]);
    bytes.resize(begin + size);
    if (size > 0) std::memcpy(bytes.data() + begin, items.data(), size);
    return begin;
  };
  const size_t query_tiles = append(query_tiles_);
  const size_t key_tiles = append(key_tiles_);
  const size_t merged_tiles = append(merged_tiles_);
  const size_t groups = append(groups_);
  const size_t parts = append(parts_);
  std::vector<cuda::AttentionSource> all_sources = sources_;
  std::vector<cuda::DividedKeys> all_divided;
  place_pieces(static_cast<float*>(workspace), all_sources, all_divided);
  const size_t sources = append(all_sources);
  const size_t divided_keys = append(all_divided);
  cuda::AttentionWork work{.kernels = kernels_,
                           .num_heads = static_cast<int32_t>(shape_.num_heads),
                           .num_kv_heads = static_cast<int32_t>(shape_.num_kv_heads),
                           .group_size = static_cast<int32_t>(group_size()),
                           .head_size = static_cast<int32_t>(shape_.head_size),
                           .scale = static_cast<float>(shape_.scale),
                           .scale_in_twos = static_cast<float>(shape_.scale * std::numbers::log2e),
                           .cap = static_cast<float>(shape_.cap),
                           .num_query_tiles = static_cast<int32_t>(query_tiles_.size()),
                           .num_key_tiles = static_cast<int32_t>(key_tiles_.size()),
                           .num_merged_tiles = static_cast<int32_t>(merged_tiles_.size()),
                           .num_divided_keys = static_cast<int32_t>(all_divided.size())};
  for (const cuda::DividedKeys& divided : all_divided) {
    work.most_divided_keys = std::max(work.most_divided_keys, divided.num_keys);
  }
  if (bytes.empty()) return work;
  const auto* base = static_cast<const std::byte*>(stage(bytes.data(), bytes.size()));
  work.query_tiles = reinterpret_cast<const cuda::QueryTile*>(base + query_tiles);
  work.key_tiles = reinterpret_cast<const cuda::KeyTile*>(base + key_tiles);
  work.merged_tiles = reinterpret_cast<const cuda::MergedTile*>(base + merged_tiles);
  work.groups = reinterpret_cast<const AttentionGroup*>(base + groups);
  work.parts = reinterpret_cast<const AttentionPart*>(base + parts);
  work.sources = reinterpret_cast<const cuda::AttentionSource*>(base + sources);
  work.divided_keys = reinterpret_cast<const cuda::DividedKeys*>(base + divided_keys);
  const int64_t num_rows =
      num_slots_ * shape_.num_kv_heads * cuda::query_tile_rows(kernels_, shape_.head_size);
  work.partial_out = static_cast<float*>(workspace);
  work.partial_lse = work.partial_out + num_rows * shape_.head_size;
  return work;
}

}  // namespace prescript
