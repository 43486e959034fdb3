// How tiles of attention are divided among several blocks, where otherwise some multiprocessors
// would have nothing to do.

#include <algorithm>
#include <map>

#include "ops/cuda_attention.h"

namespace prescript {
namespace {

using cuda::AttentionGroup;
using cuda::AttentionKernels;

// Blocks that keep every multiprocessor of an H100 or H200 busy, and keys that make a block worth
// its start. They are not asked of the device: how sums are divided must not depend on it.
constexpr int64_t kWantedBlocks = 264;
constexpr int64_t kWantedSmallBlocks = 396;
constexpr int64_t kLeastKeys = 128;
constexpr int64_t kKeyStep = 64;

// The same of a block that sums gradients of keys, which passes over folded rows. There are more of
// them than run at a time, since some take longer; blocks of warpgroups run by themselves.
constexpr int64_t kWantedKeyBlocks = 1056;
constexpr int64_t kWantedWarpgroupKeyBlocks = 264;
constexpr int64_t kLeastRows = 512;
constexpr int64_t kMostPieces = 16;

/// Of groups that each begin with a step of their own.
int64_t whole_steps(std::span<const AttentionGroup> groups) {
  int64_t sum = 0;
  for (const AttentionGroup& group : groups) {
    sum += (group.end - group.begin + kKeyStep - 1) / kKeyStep * kKeyStep;
  }
  return sum;
}

/// Appends the groups that remain of a tile's groups [first, first + count) when only positions
/// [begin, end) of all that it passes over are left; returns how many.
int32_t append_piece(
    std::vector<AttentionGroup>& groups, int32_t first, int32_t count, int64_t begin, int64_t end) {
  const size_t num_before = groups.size();
  int64_t before = 0;  // positions of earlier groups
  for (int32_t g = 0; g < count; ++g) {
    AttentionGroup group = groups[first + g];
    const int64_t origin = group.begin - before;
    before += whole_steps(std::span(&group, 1));
    group.begin = static_cast<int32_t>(std::max<int64_t>(group.begin, origin + begin));
    group.end = static_cast<int32_t>(std::min<int64_t>(group.end, origin + end));
    if (group.begin < group.end) groups.push_back(group);
  }
  return static_cast<int32_t>(groups.size() - num_before);
}

/// The least multiple of a step of which `count` make `total`.
int64_t piece_of(int64_t total, int64_t count) {
  return ((total + count - 1) / count + kKeyStep - 1) / kKeyStep * kKeyStep;
}

}  // namespace

/// Divides the keys of tiles among several blocks where there are few tiles, as in generation.
void AttentionPlan::divide_query_tiles() {
  const int64_t num_blocks = static_cast<int64_t>(query_tiles_.size()) * shape_.num_kv_heads;
  const int64_t wanted =
      kernels_ == AttentionKernels::kMatrixFewRows ? kWantedSmallBlocks : kWantedBlocks;
  if (num_blocks == 0 || num_blocks > wanted / 2) return;
  std::vector<cuda::QueryTile> divided;
  for (const cuda::QueryTile& tile : query_tiles_) {
    const int64_t num_keys =
        whole_steps(std::span(groups_).subspan(tile.first_group, tile.num_groups));
    const int64_t most = std::min(wanted / num_blocks, num_keys / kLeastKeys);
    if (most < 2) {
      divided.push_back(tile);
      continue;
    }
    const int64_t piece = piece_of(num_keys, most);
    const auto num_pieces = static_cast<int32_t>((num_keys + piece - 1) / piece);
    merged_tiles_.push_back(
        {.row_begin = tile.row_begin, .first_slot = num_slots_, .num_slots = num_pieces});
    for (int64_t begin = 0; begin < num_keys; begin += piece) {
      cuda::QueryTile part = tile;
      part.first_group = static_cast<int32_t>(groups_.size());
      part.slot = num_slots_++;
      part.num_groups =
          append_piece(groups_, tile.first_group, tile.num_groups, begin, begin + piece);
      divided.push_back(part);
    }
  }
  query_tiles_ = std::move(divided);
}

/// Divides the rows that see a tile of keys, as where many leaves see an ancestor.
void AttentionPlan::divide_key_tiles() {
  const auto num_rows = [this](const cuda::KeyTile& tile) {
    return whole_steps(std::span(groups_).subspan(tile.first_group, tile.num_groups));
  };
  int64_t total = 0;
  for (const cuda::KeyTile& tile : key_tiles_) total += num_rows(tile);
  const int64_t wanted =
      kernels_ == AttentionKernels::kWarpgroup ? kWantedWarpgroupKeyBlocks : kWantedKeyBlocks;
  const int64_t most = std::max(kLeastRows, piece_of(total * shape_.num_kv_heads, wanted));
  const auto num_pieces = [&](const cuda::KeyTile& tile) {
    const int64_t pieces = std::clamp<int64_t>((num_rows(tile) + most - 1) / most, 1, kMostPieces);
    const int64_t piece = piece_of(std::max<int64_t>(num_rows(tile), 1), pieces);
    return (num_rows(tile) + piece - 1) / piece;
  };
  std::map<int32_t, DividedSource> divided;
  for (const cuda::KeyTile& tile : key_tiles_) {
    const auto pieces = static_cast<int32_t>(num_pieces(tile) - 1);
    if (pieces < 1) continue;
    DividedSource& of_source =
        divided.try_emplace(tile.source, DividedSource{tile.source, tile.key_begin, 0, 0, 0})
            .first->second;
    of_source.end = tile.key_end;  // tiles of a source ascend
    of_source.num_pieces = std::max(of_source.num_pieces, pieces);
  }
  for (auto& [source, of_source] : divided) {
    of_source.first_piece = static_cast<int32_t>(sources_.size());
    for (int32_t p = 0; p < of_source.num_pieces; ++p) sources_.push_back(sources_[source]);
    divided_.push_back(of_source);
  }
  std::vector<cuda::KeyTile> tiles;
  for (const cuda::KeyTile& tile : key_tiles_) {
    const int64_t pieces = num_pieces(tile);
    if (pieces < 2) {
      tiles.push_back(tile);
      continue;
    }
    const int64_t piece = piece_of(num_rows(tile), pieces);
    for (int64_t p = 0; p < pieces; ++p) {
      cuda::KeyTile part = tile;
      if (p > 0) part.source = divided[tile.source].first_piece + static_cast<int32_t>(p) - 1;
      part.first_group = static_cast<int32_t>(groups_.size());
      part.num_groups =
          append_piece(groups_, tile.first_group, tile.num_groups, p * piece, (p + 1) * piece);
      tiles.push_back(part);
    }
  }
  key_tiles_ = std::move(tiles);
}

int32_t AttentionPlan::source_of(int32_t index) const {
  for (const DividedSource& divided : divided_) {
    const int32_t piece = index - divided.first_piece;
    if (piece >= 0 && piece < divided.num_pieces) return divided.source;
  }
  return index;
}

size_t AttentionPlan::numbers_of(const DividedSource& divided) const {
  return static_cast<size_t>(divided.num_pieces) * (divided.end - divided.begin) *
         shape_.num_kv_heads * shape_.head_size;
}

size_t AttentionPlan::workspace_bytes() const {
  size_t numbers = static_cast<size_t>(num_slots_) * shape_.num_kv_heads *
                   cuda::query_tile_rows(kernels_, shape_.head_size) * (shape_.head_size + 1);
  for (const DividedSource& divided : divided_) numbers += 2 * numbers_of(divided);
  return numbers * sizeof(float);
}

void AttentionPlan::place_pieces(float* workspace,
                                 std::vector<cuda::AttentionSource>& sources,
                                 std::vector<cuda::DividedKeys>& divided_keys) const {
  const int64_t cols = shape_.num_kv_heads * shape_.head_size;
  for (const DividedSource& divided : divided_) {
    const cuda::AttentionSource& whole = sources_[divided.source];
    divided_keys.push_back({.dk = whole.dk + divided.begin * whole.dk_stride,
                            .dv = whole.dv + divided.begin * whole.dv_stride,
                            .dk_stride = whole.dk_stride,
                            .dv_stride = whole.dv_stride,
                            .pieces = workspace,
                            .num_keys = divided.end - divided.begin,
                            .num_pieces = divided.num_pieces});
    // Keys of a source are counted from its first, which is not among these.
    const auto first =
        reinterpret_cast<uintptr_t>(workspace) - divided.begin * cols * sizeof(float);
    const size_t piece_bytes = numbers_of(divided) / divided.num_pieces * sizeof(float);
    for (int32_t p = 0; p < divided.num_pieces; ++p) {
      cuda::AttentionSource& source = sources[divided.first_piece + p];
      source.dk = reinterpret_cast<float*>(first + p * piece_bytes);
      source.dv = reinterpret_cast<float*>(first + (divided.num_pieces + p) * piece_bytes);
      source.dk_stride = source.dv_stride = cols;
    }
    workspace += 2 * numbers_of(divided);
  }
}

}  // namespace prescript
