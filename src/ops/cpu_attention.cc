// Attention over parts, float32 inside, for M·G query rows of each kv head of a part at a time:
//   S = scale·Q·Kᵀ, lse = log Σ exp S, O = exp(S − lse)·V, merged over parts by log-sum-exp
// Source: Hydragen, arXiv 2402.05099, section 3.

#include "ops/cpu_attention.h"

#include <algorithm>
#include <cmath>

#include "ops/check.h"
#include "ops/cpu_attention_part.h"
#include "ops/cpu_rows.h"

namespace prescript::cpu {
namespace {

/// Of a thread. Keys and values are packed by the thread that holds the part, tiles by those that
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

/// Tiles of rows of one kv head of a part, merged with what stands in `merged` and `lse`.
class ForwardTiles {
 public:
  ForwardTiles(const PartHead& head, const float* keys, const float* values)
      : head_(head),
        keys_(keys),
        values_(values),
        cols_(head.kernel().cols),
        tile_(head.tile_floats()),
        packed_q_(scratch().packed_q.take<float>(head.packed_tile_floats())),
        scores_(scratch().scores.take<float>(head.panels_of(head.num_keys()) * tile_)),
        out_(scratch().out.take<float>(head.packed_tile_floats())) {}

  void run(int64_t begin, const Tensor& q_NHE, const Tensor& merged_NHE, const Tensor& lse_NH) {
    const int64_t end = std::min(begin + head_.kernel().rows, head_.num_rows());
    const int64_t panels = head_.visible_panels(begin);
    head_.pack_tile(q_NHE, begin, end, head_.scale(), packed_q_);
    std::fill_n(scores_, panels * tile_, 0.0F);
    for (int64_t j = 0; j < panels; ++j) {
      const float* keys = keys_ + j * head_.E() * cols_;
      add_product(head_.kernel(), packed_q_, tile_, keys, head_.E(), scores_ + j * tile_);
    }
    std::vector<RowSum> sums(static_cast<size_t>(end - begin));
    for (int64_t r = begin; r < end; ++r) {
      float* const row = scores_ + (r - begin) * cols_;
      head_.hide(r, panels, tile_, row);
      sums[r - begin] = exponentials(row, panels);
    }
    std::fill_n(out_, head_.packed_tile_floats(), 0.0F);
    for (int64_t c = 0; c < head_.panels_of(head_.E()); ++c) {
      const float* values = values_ + c * head_.num_keys() * cols_;
      const int64_t num_keys = std::min(panels * cols_, head_.num_keys());
      add_product(head_.kernel(), scores_, tile_, values, num_keys, out_ + c * tile_);
    }
    for (int64_t r = begin; r < end; ++r) {
      merge(out_ + (r - begin) * cols_,
            sums[r - begin],
            head_.query<float>(merged_NHE, r),
            head_.of_query_head(lse_NH, r));
    }
  }

 private:
  /// Of the scores of a row.
  struct RowSum {
    float max = 0;
    float sum = 0;  // of exp(score − max)
  };

  /// Turns a row of the scores into exp(score − max). What is not a number makes the sum such.
  PRESCRIPT_AVX2 RowSum exponentials(float* row, int64_t panels) const {
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, kHidden);
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < cols_; c += kLanes) {
        const float* s = row + j * tile_ + c;
        for (int64_t k = 0; k < kLanes; ++k) lanes[k] = lanes[k] < s[k] ? s[k] : lanes[k];
      }
    }
    const float max = *std::max_element(lanes, lanes + kLanes);
    std::fill_n(lanes, kLanes, 0.0F);
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < cols_; c += kLanes) {
        float* s = row + j * tile_ + c;
        for (int64_t k = 0; k < kLanes; ++k) {
          s[k] = exponential(s[k] - max);
          lanes[k] += s[k];
        }
      }
    }
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    return {max, sum};
  }

  /// A row of the part's output, Σ exp(score − max)·v, into `merged` of `lse`.
  void merge(const float* out, const RowSum& row, float* merged, float& lse) const {
    const float part_lse = row.max + std::log(row.sum);
    const float max = std::max(lse, part_lse);
    const float both = max + std::log(std::exp(lse - max) + std::exp(part_lse - max));
    const float before = std::exp(lse - both);
    const float here = std::exp(part_lse - both) / row.sum;
    for (int64_t e = 0; e < head_.E(); e += cols_, out += tile_, merged += cols_) {
      const int64_t count = std::min(cols_, head_.E() - e);
      for (int64_t k = 0; k < count; ++k) merged[k] = merged[k] * before + out[k] * here;
    }
    lse = both;
  }

  const PartHead& head_;
  const float* keys_;    // as columns
  const float* values_;  // as units
  int64_t cols_;
  int64_t tile_;
  float* packed_q_;
  float* scores_;  // [panel of keys, row, key]
  float* out_;     // [panel of E, row, element]
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
  float* const block = scratch().merged.take<float>(q_NHE.rows * q_NHE.cols);
  const Tensor merged{block, DType::kFloat32, q_NHE.rows, q_NHE.cols, q_NHE.cols};
  zero(merged);
  for (int64_t n = 0; n < lse_NH.rows; ++n) std::fill_n(lse_NH.row<float>(n), lse_NH.cols, kHidden);

  const GemmKernel& kernel = gemm_kernel(DType::kFloat32);
  for_parts(parts, shape.num_kv_heads, [&](const Part& part, int64_t kv_head) {
    const PartHead head(kernel, shape, part, kv_head);
    const float* const keys = head.pack_keys_as_columns(sources[part.source].k, scratch().keys);
    const float* const values = head.pack_keys_as_units(sources[part.source].v, scratch().values);
    at::parallel_for(0, head.tiles_of(head.num_rows()), 1, [&](int64_t begin, int64_t end) {
      ForwardTiles tiles(head, keys, values);
      for (int64_t t = begin; t < end; ++t) tiles.run(t * kernel.rows, q_NHE, merged, lse_NH);
    });
  });
  copy(merged, out_NHE);
}

}  // namespace prescript::cpu
