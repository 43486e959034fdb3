// How the cuda backend cuts parts into tiles: every score is met once, by what may see it.

#include "ops/cuda_attention.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "forest/random_sequences.h"

namespace prescript {
namespace {

using cuda::AttentionGroup;
using cuda::AttentionKernels;
using cuda::AttentionPart;
using Products = cuda::Device::Products;

/// How often query n meets key i of source s, as (s, n, i).
using Meetings = std::map<std::tuple<int32_t, int32_t, int32_t>, int>;

Meetings meetings_of(std::span<const Part> parts) {
  Meetings result;
  for (const Part& part : parts) {
    for (int32_t j = 0; j < part.num_queries; ++j) {
      for (int32_t i = 0; i < part.num_keys; ++i) {
        if (part.causal_offset != Part::kNoMask && i > part.causal_offset + j) continue;
        if (part.window_offset != Part::kNoWindow && i < part.window_offset + j) continue;
        ++result[{part.source, part.query_begin + j, part.key_begin + i}];
      }
    }
  }
  return result;
}

/// Adds what `group` lets `query` see of keys [begin, end), as the kernels find it.
void meet(const AttentionPlan& plan,
          const AttentionGroup& group,
          int32_t query,
          int32_t begin,
          int32_t end,
          Meetings& result) {
  int num_parts = 0;
  for (const AttentionPart& part : plan.parts().subspan(group.first_part, group.num_parts)) {
    if (query < part.query_begin || query >= part.query_end) continue;
    EXPECT_EQ(++num_parts, 1) << "a query in two parts of a group";
    const int32_t first = std::max({begin, part.key_begin, query + part.window_shift});
    const int32_t last = std::min({end, part.key_end, query + part.causal_shift + 1});
    for (int32_t key = first; key < last; ++key) ++result[{group.source, query, key}];
  }
}

/// What the tiles of queries meet; `group_size` folded rows are a query.
Meetings meetings_of_query_tiles(const AttentionPlan& plan, int64_t num_rows, int32_t tile_rows) {
  Meetings result;
  for (const cuda::QueryTile& tile : plan.query_tiles()) {
    for (const AttentionGroup& group : plan.groups().subspan(tile.first_group, tile.num_groups)) {
      EXPECT_LT(group.begin, group.end);
      for (int32_t row = tile.row_begin; row < tile.row_begin + tile_rows; ++row) {
        if (row < num_rows) meet(plan, group, row, group.begin, group.end, result);
      }
    }
  }
  return result;
}

Meetings meetings_of_key_tiles(const AttentionPlan& plan, int32_t tile_keys) {
  Meetings result;
  for (const cuda::KeyTile& tile : plan.key_tiles()) {
    EXPECT_LE(tile.key_end - tile.key_begin, tile_keys);
    for (const AttentionGroup& group : plan.groups().subspan(tile.first_group, tile.num_groups)) {
      EXPECT_EQ(group.source, plan.source_of(tile.source));
      for (int32_t row = group.begin; row < group.end; ++row) {
        meet(plan, group, row, tile.key_begin, tile.key_end, result);
      }
    }
  }
  return result;
}

/// Tensors without memory, whose addresses are aligned.
struct Shapes {
  AttentionShape shape;
  Tensor q;
  std::vector<KeyValues> sources;
  std::vector<KeyValues> gradients;

  Shapes(const AttentionShape& heads, int64_t num_queries, std::vector<int64_t> source_rows)
      : shape(heads), q(tensor(DType::kBFloat16, num_queries, heads.num_heads)) {
    for (const int64_t rows : source_rows) {
      const Tensor kv = tensor(DType::kBFloat16, rows, heads.num_kv_heads);
      const Tensor gradient = tensor(DType::kFloat32, rows, heads.num_kv_heads);
      sources.push_back({kv, kv});
      gradients.push_back({gradient, gradient});
    }
  }

  Tensor tensor(DType dtype, int64_t rows, int64_t heads) const {
    const int64_t cols = heads * shape.head_size;
    return {reinterpret_cast<void*>(uintptr_t{1024}), dtype, rows, cols, cols};
  }
  AttentionPlan forward(std::span<const Part> parts, Products products = Products::kOfWarps) const {
    return AttentionPlan::forward(products, shape, parts, q, sources, q);
  }
  AttentionPlan input_gradient(std::span<const Part> parts,
                               Products products = Products::kOfWarps) const {
    const Tensor dq = tensor(DType::kFloat32, q.rows, shape.num_heads);
    return AttentionPlan::input_gradient(products, shape, parts, q, sources, q, q, dq, gradients);
  }
};

// One head: a folded row is a query.
constexpr AttentionShape kOneHead{1, 1, 128, 0.1, 0};

TEST(CudaAttention, EveryTileMeetsWhatItsPartsSay) {
  for (uint64_t index = 0; index < 24; ++index) {
    SCOPED_TRACE(index);
    const Forest forest = build_forest(random_sequences(index), {}, {.min_saved_rows = 1});
    const Schedule schedule = make_schedule(forest, index % 2 == 0 ? 1000 : 15);
    for (const Pass& pass : schedule.passes) {
      std::vector<int64_t> source_rows = {pass.num_rows()};
      for (const KeptRun& run : schedule.kept_runs) source_rows.push_back(run.num_rows);
      for (const int64_t window : {0, 5}) {
        std::vector<Part> parts = pass.parts;
        if (window > 0) parts = parts_in_window(parts, pass.positions, window);
        const Shapes shapes(kOneHead, pass.num_rows(), source_rows);
        const Meetings expected = meetings_of(parts);
        const AttentionPlan forward = shapes.forward(parts);
        const int32_t rows = cuda::query_tile_rows(forward.kernels(), kOneHead.head_size);
        EXPECT_EQ(meetings_of_query_tiles(forward, pass.num_rows(), rows), expected);
        const AttentionPlan gradient = shapes.input_gradient(parts);
        ASSERT_EQ(gradient.kernels(), AttentionKernels::kMatrix);
        EXPECT_EQ(meetings_of_query_tiles(gradient, pass.num_rows(), 128), expected);
        EXPECT_EQ(meetings_of_key_tiles(gradient, 64), expected);
        const AttentionPlan wide = shapes.input_gradient(parts, Products::kOfWarpgroups);
        ASSERT_EQ(wide.kernels(), AttentionKernels::kWarpgroup);
        EXPECT_EQ(meetings_of_query_tiles(wide, pass.num_rows(), 128), expected);
        EXPECT_EQ(meetings_of_key_tiles(wide, 128), expected);
      }
    }
  }
}

std::vector<Part> leaves_below_a_root(int32_t root_rows, int32_t leaf_rows, int32_t num_leaves) {
  std::vector<Part> parts{
      {.query_begin = root_rows, .num_queries = leaf_rows * num_leaves, .num_keys = root_rows},
      {.num_queries = root_rows, .num_keys = root_rows, .causal_offset = 0}};
  for (int32_t i = 0; i < num_leaves; ++i) {
    const int32_t begin = root_rows + leaf_rows * i;
    parts.push_back({.query_begin = begin,
                     .num_queries = leaf_rows,
                     .key_begin = begin,
                     .num_keys = leaf_rows,
                     .causal_offset = 0});
  }
  return parts;
}

TEST(CudaAttention, LeavesOfATileArePassedOverAtOnce) {
  const std::vector<Part> parts = leaves_below_a_root(128, 8, 16);
  const Shapes shapes(kOneHead, 256, {256});
  const AttentionPlan plan = shapes.input_gradient(parts);
  ASSERT_EQ(plan.query_tiles().size(), 2U);
  // The longest first: all leaves, which see the root and themselves.
  EXPECT_EQ(plan.query_tiles()[0].row_begin, 128);
  EXPECT_EQ(plan.query_tiles()[0].num_groups, 2);
  // The root, whose keys are those of the tall part: one pass over the rows of both.
  ASSERT_EQ(plan.key_tiles().size(), 4U);
  EXPECT_EQ(plan.key_tiles()[0].key_begin, 0);
  for (const cuda::KeyTile& tile : plan.key_tiles()) EXPECT_EQ(tile.num_groups, 1);
}

TEST(CudaAttention, HeadsThatShareKeysFoldIntoRows) {
  const std::vector<Part> parts{{.num_queries = 100, .num_keys = 100, .causal_offset = 0}};
  const Shapes shapes({6, 2, 128, 0.1, 0}, 100, {100});
  const AttentionPlan plan = shapes.input_gradient(parts);
  ASSERT_EQ(plan.query_tiles().size(), 3U);  // of 300 folded rows
  // Rows 256 to 299 are heads of queries 85 to 99.
  const auto last = std::ranges::find(plan.query_tiles(), 256, &cuda::QueryTile::row_begin);
  const AttentionGroup& group = plan.groups()[last->first_group];
  EXPECT_EQ(plan.parts()[group.first_part].query_begin, 85);
  EXPECT_EQ(group.end, 100);
  // Keys 64 to 99 are seen by queries from 64 on.
  ASSERT_EQ(plan.key_tiles().size(), 2U);
  const AttentionGroup& rows = plan.groups()[plan.key_tiles()[1].first_group];
  EXPECT_EQ(rows.begin, 3 * 64);
  EXPECT_EQ(rows.end, 300);
}

TEST(CudaAttention, ManyKeysOfFewRowsAreDivided) {
  const std::vector<Part> parts{
      {.num_queries = 1, .source = 1, .num_keys = 5000},
      {.num_queries = 1, .num_keys = 1, .causal_offset = 0},
  };
  const Shapes shapes({8, 2, 128, 0.1, 0}, 1, {1, 5000});
  const AttentionPlan plan = shapes.forward(parts);
  EXPECT_EQ(plan.kernels(), AttentionKernels::kMatrixFewRows);
  ASSERT_EQ(plan.merged_tiles().size(), 1U);
  EXPECT_GT(plan.query_tiles().size(), 20U);
  EXPECT_EQ(plan.query_tiles().size(), static_cast<size_t>(plan.merged_tiles()[0].num_slots));
  EXPECT_GT(plan.workspace_bytes(), 0U);
  int64_t num_keys = 0;
  for (const cuda::QueryTile& tile : plan.query_tiles()) {
    EXPECT_GE(tile.slot, 0);
    for (const AttentionGroup& group : plan.groups().subspan(tile.first_group, tile.num_groups)) {
      num_keys += group.end - group.begin;
    }
  }
  EXPECT_EQ(num_keys, 5001);
  // The same shapes are divided in the same way, whatever else.
  EXPECT_EQ(shapes.forward(parts).query_tiles().size(), plan.query_tiles().size());
}

TEST(CudaAttention, KeysThatManyRowsSeeAreDivided) {
  // 64 leaves of 30 rows below a root of 100: every tile of the root meets 2020 rows.
  const std::vector<Part> parts = leaves_below_a_root(100, 30, 64);
  const Shapes shapes(kOneHead, 2020, {2020});
  const AttentionPlan plan = shapes.input_gradient(parts);
  EXPECT_EQ(meetings_of_key_tiles(plan, 64), meetings_of(parts));
  int num_pieces = 0;  // behind the first of a tile
  for (const cuda::KeyTile& tile : plan.key_tiles()) num_pieces += tile.source != 0 ? 1 : 0;
  EXPECT_GT(num_pieces, 3);
  EXPECT_GT(plan.workspace_bytes(), 0U);
  EXPECT_EQ(shapes.input_gradient(parts).workspace_bytes(), plan.workspace_bytes());

  std::vector<float> workspace(plan.workspace_bytes() / sizeof(float));
  std::vector<std::byte> staged;
  const cuda::AttentionWork work = plan.place(
      [&](const void* data, size_t bytes) -> void* {
        const auto* begin = static_cast<const std::byte*>(data);
        staged.assign(begin, begin + bytes);
        return staged.data();
      },
      workspace.data());
  ASSERT_EQ(work.num_divided_keys, 1);
  const cuda::DividedKeys& divided = work.divided_keys[0];
  EXPECT_EQ(divided.num_keys, 128);  // whole tiles
  EXPECT_EQ(divided.pieces, workspace.data());
  EXPECT_EQ(divided.dk, shapes.gradients[0].k.data);
  // The pieces' gradients lie one behind the other, those of dV behind those of dK.
  for (int32_t p = 0; p < divided.num_pieces; ++p) {
    EXPECT_EQ(work.sources[1 + p].dk, workspace.data() + p * 128 * 128);
    EXPECT_EQ(work.sources[1 + p].dv, workspace.data() + (divided.num_pieces + p) * 128 * 128);
    EXPECT_EQ(work.sources[1 + p].k, work.sources[0].k);
  }
}

TEST(CudaAttention, MatrixInstructionsNeedAlignedRowsOfBFloat16) {
  const std::vector<Part> parts{{.num_queries = 100, .num_keys = 100, .causal_offset = 0}};
  Shapes shapes(kOneHead, 100, {100});
  EXPECT_EQ(shapes.forward(parts).kernels(), AttentionKernels::kMatrix);
  shapes.sources[0].k.stride += 3;
  EXPECT_EQ(shapes.forward(parts).kernels(), AttentionKernels::kPlain);
  const Shapes odd({1, 1, 72, 0.1, 0}, 100, {100});
  EXPECT_EQ(odd.forward(parts).kernels(), AttentionKernels::kPlain);
}

TEST(CudaAttention, ProductsOfWarpgroupsNeedACardThatHasThemAndAHeadThatFits) {
  const auto kernels_for = [](int64_t head_size, int32_t num_queries, Products products) {
    const std::vector<Part> parts{
        {.num_queries = num_queries, .num_keys = num_queries, .causal_offset = 0}};
    const Shapes shapes({1, 1, head_size, 0.1, 0}, num_queries, {num_queries});
    return shapes.forward(parts, products).kernels();
  };
  EXPECT_EQ(kernels_for(128, 100, Products::kOfWarpgroups), AttentionKernels::kWarpgroup);
  EXPECT_EQ(kernels_for(64, 100, Products::kOfWarpgroups), AttentionKernels::kWarpgroup);
  EXPECT_EQ(kernels_for(128, 100, Products::kOfWarps), AttentionKernels::kMatrix);
  EXPECT_EQ(kernels_for(96, 100, Products::kOfWarpgroups), AttentionKernels::kMatrix);
  EXPECT_EQ(kernels_for(128, 10, Products::kOfWarpgroups), AttentionKernels::kMatrixFewRows);
  EXPECT_EQ(kernels_for(72, 100, Products::kOfWarpgroups), AttentionKernels::kPlain);
}

TEST(CudaAttention, SourcesWithoutGradientsHaveNoTiles) {
  const std::vector<Part> parts{
      {.num_queries = 10, .source = 1, .num_keys = 200},
      {.num_queries = 10, .num_keys = 10, .causal_offset = 0},
  };
  Shapes shapes(kOneHead, 10, {10, 200});
  shapes.gradients[1] = {};
  const AttentionPlan plan = shapes.input_gradient(parts);
  ASSERT_EQ(plan.key_tiles().size(), 1U);
  EXPECT_EQ(plan.key_tiles()[0].source, 0);
  EXPECT_EQ(plan.key_tiles()[0].key_end, 10);
}

TEST(CudaAttention, PlacesEverythingByOneCopy) {
  const std::vector<Part> parts = leaves_below_a_root(20, 3, 7);
  const Shapes shapes(kOneHead, 41, {41});
  const AttentionPlan plan = shapes.input_gradient(parts);
  std::vector<std::byte> staged;
  int num_copies = 0;
  const auto stage = [&](const void* data, size_t bytes) -> void* {
    ++num_copies;
    const auto* begin = static_cast<const std::byte*>(data);
    staged.assign(begin, begin + bytes);
    return staged.data();
  };
  const cuda::AttentionWork work = plan.place(stage, nullptr);
  EXPECT_EQ(num_copies, 1);
  ASSERT_EQ(work.num_key_tiles, static_cast<int32_t>(plan.key_tiles().size()));
  EXPECT_EQ(work.key_tiles[0].key_begin, plan.key_tiles()[0].key_begin);
  EXPECT_EQ(work.parts[plan.parts().size() - 1].query_begin, plan.parts().back().query_begin);
  EXPECT_EQ(work.sources[0].k, shapes.sources[0].k.data);
  EXPECT_EQ(work.sources[0].dk, shapes.gradients[0].k.data);
}

}  // namespace
}  // namespace prescript
