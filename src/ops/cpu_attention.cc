// Attention over parts, float32 inside, for blocks of the M·G query rows of each kv head of a part
// against segments of its keys:
//   S = scale·Q·Kᵀ, O = Σ exp(S − m)·V, s = Σ exp(S − m), m the largest score so far,
// merged over segments and parts; in the end O/s, and lse = m + log s.
// Source: Hydragen, arXiv 2402.05099, section 3; FlashAttention-2, arXiv 2307.08691, section 3.1.

#include "ops/cpu_attention.h"

#include <array>

#include "ops/check.h"
#include "ops/cpu_attention_few_rows.h"
#include "ops/cpu_attention_merge.h"
#include "ops/cpu_attention_schedule.h"

namespace prescript::cpu {
namespace {

// Rows of a block and keys of a segment: their scores, keys and values stay in the second-level
// cache.
constexpr int64_t kBlockRows = 56;
constexpr int64_t kSegmentKeys = 512;
constexpr int64_t kMaxTiles = 16;

/// Of a thread. Keys and values are packed by the thread that holds the part, blocks by those that
/// share its work.
struct ThreadScratch {
  Scratch keys;
  Scratch values;
  Scratch packed_q;
  Scratch scores;
  Scratch out;
  Scratch merged;
};

ThreadScratch& scratch() {
  thread_local ThreadScratch instance;
  return instance;
}

struct PackedKeys {
  const float* k_as_columns;
  const float* v_as_units;
};

/// Blocks of rows of one kv head of a part.
class ForwardBlock {
 public:
  ForwardBlock(const PartHead& head, const PackedKeys& keys)
      : head_(head),
        keys_(keys),
        cols_(head.kernel().cols),
        tile_(head.tile_floats()),
        tile_scores_(head.panels_of(std::min(head.num_keys(), kSegmentKeys)) * tile_),
        packed_q_(scratch().packed_q.take<float>(max_tiles() * head.packed_tile_floats())),
        scores_(scratch().scores.take<float>(max_tiles() * tile_scores_)),
        out_(scratch().out.take<float>(max_tiles() * head.packed_tile_floats())) {}

  /// Rows of a block, in whole tiles.
  static int64_t rows(const PartHead& head) {
    return kBlockRows / head.kernel().rows * head.kernel().rows;
  }

  void run(int64_t begin, const Tensor& q_NHE, const Merged& merged) {
    begin_ = begin;
    end_ = std::min(begin + rows(head_), head_.num_rows());
    num_tiles_ = head_.tiles_of(end_ - begin_);
    for (int64_t t = 0; t < num_tiles_; ++t) {
      head_.pack_tile(q_NHE, first_row(t), end_, packed_q_ + t * head_.packed_tile_floats());
    }
    const int64_t first = head_.first_visible(begin_) / kSegmentKeys * kSegmentKeys;
    for (int64_t key = first; key < head_.visible(end_ - 1); key += kSegmentKeys) {
      run_segment(key, merged);
    }
  }

 private:
  int64_t max_tiles() const { return rows(head_) / head_.kernel().rows; }
  int64_t first_row(int64_t t) const { return begin_ + t * head_.kernel().rows; }

  void run_segment(int64_t first, const Merged& merged) {
    for (int64_t t = 0; t < num_tiles_; ++t) {
      panels_[t] = head_.visible_panels(first_row(t), first, kSegmentKeys / cols_);
    }
    multiply_keys(first);
    // Rows before those that see the segment's first key see none of it.
    const int64_t from = head_.first_row(first, begin_, end_);
    std::array<RowSum, kBlockRows> sums;
    for (int64_t r = from; r < end_; ++r) {
      const int64_t t = (r - begin_) / head_.kernel().rows;
      float* const row = scores_ + t * tile_scores_ + (r - first_row(t)) * cols_;
      head_.scale_scores(panels_[t], cols_, tile_, row);
      head_.hide(r, first, panels_[t], tile_, row);
      sums[r - begin_] = exponentials(row, panels_[t], cols_, tile_);
    }
    multiply_values(first);
    for (int64_t r = from; r < end_; ++r) {
      const int64_t t = (r - begin_) / head_.kernel().rows;
      const float* const row = out_ + t * head_.packed_tile_floats() + (r - first_row(t)) * cols_;
      merge(head_, r, row, tile_, sums[r - begin_], merged);
    }
  }

  /// Panel by panel, which all tiles meet while it is in the first-level cache.
  void multiply_keys(int64_t first) const {
    const int64_t units = head_.dot_units();
    const float* panel = keys_.k_as_columns + first * units;
    for (int64_t j = 0; j < panels_[num_tiles_ - 1]; ++j, panel += units * cols_) {
      for (int64_t t = 0; t < num_tiles_; ++t) {
        if (j >= panels_[t]) continue;
        multiply(head_.dot_kernel(),
                 packed_q_ + t * head_.packed_tile_floats(),
                 tile_,
                 panel,
                 units,
                 scores_ + t * tile_scores_ + j * tile_);
      }
    }
  }

  void multiply_values(int64_t first) const {
    for (int64_t c = 0; c < head_.panels_of(head_.E()); ++c) {
      const float* const values = keys_.v_as_units + (c * head_.num_keys() + first) * cols_;
      for (int64_t t = 0; t < num_tiles_; ++t) {
        multiply(head_.kernel(),
                 scores_ + t * tile_scores_,
                 tile_,
                 values,
                 std::min(panels_[t] * cols_, head_.num_keys() - first),
                 out_ + t * head_.packed_tile_floats() + c * tile_);
      }
    }
  }

  const PartHead& head_;
  const PackedKeys& keys_;
  int64_t cols_;
  int64_t tile_;
  int64_t tile_scores_;
  float* packed_q_;  // [tile, panel of E, row, element]
  float* scores_;    // [tile, panel of keys, row, key]
  float* out_;       // as packed_q_
  int64_t begin_ = 0;
  int64_t end_ = 0;
  int64_t num_tiles_ = 0;
  std::array<int64_t, kMaxTiles> panels_{};  // that a tile sees
};

}  // namespace

void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q_NHE,
               std::span<const KeyValues> sources,
               Tensor out_NHE,
               Tensor lse_NH) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  if (q_NHE.rows == 0) return;
  const Merged merged = start_merging(shape, q_NHE.rows, scratch().merged);
  const std::vector<PartLevel> levels = levels_of(parts, q_NHE.rows, sources);
  for_parts(levels, shape.num_kv_heads, [&](const Part& part, int64_t kv_head) {
    const PartHead head(q_NHE.dtype, shape, part, kv_head);
    if (has_few_rows(head)) {
      attend_few_rows(head, q_NHE, sources[part.source], merged);
      return;
    }
    const auto& [k, v] = sources[part.source];
    const PackedKeys keys{head.pack_keys_as_columns(k, scratch().keys),
                          head.pack_keys_as_units(v, scratch().values)};
    const int64_t rows = ForwardBlock::rows(head);
    for_each_item(round_up(head.num_rows(), rows) / rows, [&](int64_t block) {
      ForwardBlock(head, keys).run(block * rows, q_NHE, merged);
    });
  });
  finish_merging(shape, merged, out_NHE, lse_NH);
}

}  // namespace prescript::cpu
