// The input gradient of attention over parts, float32 inside, for blocks of the M·G query rows of
// each kv head of a part against segments of its keys:
//   P = exp(S − lse), dV += Pᵀ·dO, dS = P∘(dO·Vᵀ − rowsum(dO∘O)), dQ += scale·dS·K,
//   dK += scale·dSᵀ·Q
// Source: FlashAttention-2, arXiv 2307.08691, section 3.1.

#include <array>
#include <numeric>

#include "ops/check.h"
#include "ops/cpu_attention.h"
#include "ops/cpu_attention_part.h"
#include "ops/cpu_attention_schedule.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_rows.h"

namespace prescript::cpu {
namespace {

// Keys of a segment, and rows that meet one of its panels while it is in the first-level cache.
constexpr int64_t kSegmentKeys = 512;
constexpr int64_t kHeldRows = 28;
constexpr int64_t kMaxTiles = 8;

// Rows of a block; with a segment its P and dS take 4 MB.
constexpr int64_t kBlockRows = 1024;

// Rows over which K/V gradients are summed up in float32.
constexpr int64_t kSumRows = 224;

/// Of a thread. Keys and blocks are packed by the thread that holds the part, the rest by those
/// that share its work.
struct ThreadScratch {
  Scratch k_as_columns;
  Scratch v_as_columns;
  Scratch k_as_units;
  Scratch scores;
  Scratch turned_q;
  Scratch turned_dout;
  Scratch packed_q;
  Scratch packed_dout;
  Scratch dq;
  Scratch sums;
  Scratch totals;
  Scratch projections;
};

ThreadScratch& scratch() {
  thread_local ThreadScratch instance;
  return instance;
}

/// What the backward reads, and dQ.
struct Gradients {
  Tensor q_NHE;
  Tensor lse_NH;
  Tensor dout_NHE;
  Tensor projection_NH;  // rowsum(dO∘O), float32
  Tensor dq_NHE;
};

/// Operands of the keys of one kv head of a part.
struct PackedKeys {
  const float* k_as_columns;  // Q·Kᵀ
  const float* v_as_columns;  // dO·Vᵀ
  const float* k_as_units;    // dS·K
};

/// The backward of rows [begin, end) of one kv head of a part, a segment of keys at a time: first
/// `add_dq` of all held rows, then `add_dkv` of every panel.
class BackwardBlock {
 public:
  BackwardBlock(const PartHead& head,
                const PackedKeys& keys,
                const Gradients& gradients,
                int64_t begin,
                int64_t end)
      : head_(head),
        keys_(keys),
        g_(gradients),
        begin_(begin),
        end_(end),
        cols_(head.kernel().cols),
        tile_(head.tile_floats()),
        // One tile more than is used: panels a multiple of a page apart would share cache lines.
        panel_floats_((head.tiles_of(end - begin) + 1) * tile_),
        // Both in one block, which so is large enough for huge pages: a row's panels lie pages
        // apart.
        probabilities_(scratch().scores.take<float>(2 * max_panels() * panel_floats_)),
        dscores_(probabilities_ + max_panels() * panel_floats_),
        turned_q_(head.pack_turned(g_.q_NHE, begin, end, head.scale(), scratch().turned_q)),
        turned_dout_(head.pack_turned(g_.dout_NHE, begin, end, 1, scratch().turned_dout)) {}

  /// Rows of a block, in whole sums.
  static int64_t rows(const PartHead& head) { return kBlockRows / sum_rows(head) * sum_rows(head); }

  void set_segment(int64_t first) {
    first_ = first;
    num_panels_ = std::min(kSegmentKeys / cols_, head_.panels_of(head_.num_keys() - first));
  }
  int64_t num_panels() const { return num_panels_; }
  int64_t num_held() const { return round_up(end_ - begin_, held_rows()) / held_rows(); }

  /// Leaves P and dS of held rows `index` and adds to their dQ.
  void add_dq(int64_t index) const {
    const Held held = hold(index);
    multiply_keys(held);
    for (int64_t t = 0; t < held.num_tiles; ++t) {
      for (int64_t r = held.row(t); r < held.row_end(t); ++r) {
        if (head_.cap() == 0) {
          differentiate<false>(r, held.panels[t]);
        } else {
          differentiate<true>(r, held.panels[t]);
        }
      }
    }
    float* const dq = scratch().dq.take<float>(held.num_tiles * head_.packed_tile_floats());
    for (int64_t c = 0; c < head_.panels_of(head_.E()); ++c) {
      const float* const k = keys_.k_as_units + (c * head_.num_keys() + first_) * cols_;
      for (int64_t t = 0; t < held.num_tiles; ++t) {
        if (held.panels[t] == 0) continue;
        multiply(head_.kernel(),
                 dscores_ + (held.row(t) - begin_) * cols_,
                 panel_floats_,
                 k,
                 std::min(held.panels[t] * cols_, head_.num_keys() - first_),
                 dq + t * head_.packed_tile_floats() + c * tile_);
      }
    }
    for (int64_t t = 0; t < held.num_tiles; ++t) {
      if (held.panels[t] == 0) continue;
      for (int64_t r = held.row(t); r < held.row_end(t); ++r) {
        const float* const row = dq + t * head_.packed_tile_floats() + (r - held.row(t)) * cols_;
        float* const to = head_.query<float>(g_.dq_NHE, r);
        add_chunks(head_.kernel(), row, tile_, head_.E(), 1, head_.scale(), to);
      }
    }
  }

  /// Adds to the gradients of the keys and values of panel `j`.
  void add_dkv(int64_t j, const KeyValues& gradient) const {
    add_turned(j, turned_q_, dscores_, gradient.k);
    add_turned(j, turned_dout_, probabilities_, gradient.v);
  }

 private:
  /// Tiles of rows that are computed together, and the panels that each sees.
  struct Held {
    int64_t begin = 0;
    int64_t end = 0;
    int64_t tile_rows = 0;
    int64_t num_tiles = 0;
    std::array<int64_t, kMaxTiles> panels{};

    int64_t row(int64_t t) const { return begin + t * tile_rows; }
    int64_t row_end(int64_t t) const { return std::min(end, row(t) + tile_rows); }
  };

  /// A whole number of tiles, and of chunks.
  static int64_t sum_rows(const PartHead& head) {
    const int64_t both = std::lcm(head.kernel().rows, head.kernel().cols);
    return kSumRows / both * both;  // NOLINT(clang-analyzer-core.DivideZero): no kernel is empty
  }
  int64_t held_rows() const { return kHeldRows / head_.kernel().rows * head_.kernel().rows; }
  int64_t max_panels() const {
    return std::min(kSegmentKeys / cols_, head_.panels_of(head_.num_keys()));
  }

  Held hold(int64_t index) const {
    Held held{.begin = begin_ + index * held_rows(), .tile_rows = head_.kernel().rows};
    held.end = std::min(held.begin + held_rows(), end_);
    held.num_tiles = head_.tiles_of(held.end - held.begin);
    for (int64_t t = 0; t < held.num_tiles; ++t) {
      held.panels[t] = head_.visible_panels(held.row(t), first_, num_panels_);
    }
    return held;
  }

  /// S and dO·Vᵀ, zero where no row of a tile sees the panel.
  void multiply_keys(const Held& held) const {
    const int64_t tile_floats = head_.packed_tile_floats();
    float* const q = scratch().packed_q.take<float>(held.num_tiles * tile_floats);
    float* const dout = scratch().packed_dout.take<float>(held.num_tiles * tile_floats);
    for (int64_t t = 0; t < held.num_tiles; ++t) {
      head_.pack_tile(g_.q_NHE, held.row(t), held.row_end(t), q + t * tile_floats);
      head_.pack_tile(g_.dout_NHE, held.row(t), held.row_end(t), dout + t * tile_floats);
    }
    const GemmKernel& kernel = head_.dot_kernel();
    const int64_t units = head_.dot_units();
    for (int64_t j = 0; j < num_panels_; ++j) {
      const int64_t panel = (first_ / cols_ + j) * units * cols_;
      for (int64_t t = 0; t < held.num_tiles; ++t) {
        const int64_t scores = j * panel_floats_ + (held.row(t) - begin_) * cols_;
        if (j < held.panels[t]) {
          const float* const k = keys_.k_as_columns + panel;
          const float* const v = keys_.v_as_columns + panel;
          multiply(kernel, q + t * tile_floats, tile_, k, units, probabilities_ + scores);
          multiply(kernel, dout + t * tile_floats, tile_, v, units, dscores_ + scores);
        } else {
          std::fill_n(probabilities_ + scores, tile_, 0.0F);
          std::fill_n(dscores_ + scores, tile_, 0.0F);
        }
      }
    }
  }

  /// P and dS of row `r` from S and dO·Vᵀ.
  template <bool is_capped>
  PRESCRIPT_WIDEST void differentiate(int64_t r, int64_t panels) const {
    float* const p = probabilities_ + (r - begin_) * cols_;
    float* const ds = dscores_ + (r - begin_) * cols_;
    head_.scale_scores(panels, cols_, panel_floats_, p);
    head_.hide(r, first_, panels, panel_floats_, p);
    const float cap = head_.cap();
    const float projection = head_.of_query_head(g_.projection_NH, r);
    const float lse = head_.of_query_head(g_.lse_NH, r) * kLog2E;
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < cols_; c += kLanes) {
        float* const pj = p + j * panel_floats_ + c;
        float* const dsj = ds + j * panel_floats_ + c;
        for (int64_t k = 0; k < kLanes; ++k) {
          const float ratio = is_capped ? std::max(pj[k], -cap) / cap : 0;
          pj[k] = power_of_two(pj[k] - lse);
          dsj[k] = pj[k] * (dsj[k] - projection);
          if (is_capped) dsj[k] *= 1 - ratio * ratio;  // of the score before the cap
        }
      }
    }
  }

  /// Adds x · scores of panel `j`, whose rows are the elements of the head, to rows of `gradient`.
  /// K/V gradients nearly cancel where all rows attend to one key: sums over kSumRows are added in
  /// float64.
  PRESCRIPT_WIDEST void add_turned(int64_t j,
                                   const float* x,
                                   const float* scores,
                                   const Tensor& gradient) const {
    const int64_t E = head_.E();
    const int64_t num_rows = end_ - begin_;
    const int64_t tile_stride = head_.panels_of(num_rows) * tile_;
    const int64_t key = first_ + j * cols_;
    // Rows before the first that sees a key of the panel are left out, in whole chunks.
    const int64_t first = (head_.first_row(key, begin_, end_) - begin_) / cols_ * cols_;
    const int64_t num_keys = std::min(cols_, head_.num_keys() - key);
    float* const sums = scratch().sums.take<float>(tile_);
    double* const totals = scratch().totals.take<double>(head_.tiles_of(E) * tile_);
    std::fill_n(totals, head_.tiles_of(E) * tile_, 0.0);
    for (int64_t row = first; row < num_rows;) {
      const int64_t behind = std::min(num_rows, (row / sum_rows(head_) + 1) * sum_rows(head_));
      for (int64_t e = 0; e < head_.tiles_of(E); ++e) {
        multiply(head_.kernel(),
                 x + e * tile_stride + row / cols_ * tile_,
                 tile_,
                 scores + j * panel_floats_ + row * cols_,
                 behind - row,
                 sums);
        for (int64_t i = 0; i < tile_; ++i) totals[e * tile_ + i] += sums[i];
      }
      row = behind;
    }
    for (int64_t n = 0; n < num_keys; ++n) {
      double* const to = head_.key<double>(gradient, key + n);
      for (int64_t e = 0; e < E; ++e) to[e] += totals[e * cols_ + n];
    }
  }

  const PartHead& head_;
  const PackedKeys& keys_;
  const Gradients& g_;
  int64_t begin_;
  int64_t end_;
  int64_t cols_;
  int64_t tile_;
  int64_t panel_floats_;   // of scores: all rows of the block, the keys of a panel
  float* probabilities_;   // [panel, row, key], at first the scores
  float* dscores_;         // the same, at first dO·Vᵀ
  const float* turned_q_;  // scale·Qᵀ
  const float* turned_dout_;
  int64_t first_ = 0;  // key of the segment
  int64_t num_panels_ = 0;
};

template <typename T>
PRESCRIPT_WIDEST float dot(const T* x, const T* y, int64_t count) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i + kLanes <= count; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) lanes[k] += widened(x[i + k]) * widened(y[i + k]);
  }
  for (int64_t i = count / kLanes * kLanes; i < count; ++i) {
    lanes[i % kLanes] += widened(x[i]) * widened(y[i]);
  }
  return sum_of_lanes(lanes);
}

/// rowsum(dO∘O) of every row and query head.
Tensor projections(const AttentionShape& shape, const Tensor& out, const Tensor& dout) {
  const int64_t H = shape.num_heads;
  const int64_t E = shape.head_size;
  float* const block = scratch().projections.take<float>(out.rows * H);
  const Tensor result{block, DType::kFloat32, out.rows, H, H};
  parallel_for(0, out.rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t h = 0; h < H; ++h) {
        result.row<float>(n)[h] =
            out.dtype == DType::kFloat32
                ? dot(out.row<float>(n) + h * E, dout.row<float>(n) + h * E, E)
                : dot(out.row<uint16_t>(n) + h * E, dout.row<uint16_t>(n) + h * E, E);
      }
    }
  });
  return result;
}

}  // namespace

// The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
void attention_input_gradient(const AttentionShape& shape,
                              std::span<const Part> parts,
                              Tensor q_NHE,
                              std::span<const KeyValues> sources,
                              Tensor out_NHE,
                              Tensor lse_NH,
                              Tensor dout_NHE,
                              Tensor dq_NHE,
                              std::span<const KeyValues> gradients) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  ops_check::attention_input_gradient(q_NHE, sources, dout_NHE, dq_NHE, gradients, DType::kFloat64);
  zero(dq_NHE);
  if (q_NHE.rows == 0) return;
  const Gradients g{q_NHE, lse_NH, dout_NHE, projections(shape, out_NHE, dout_NHE), dq_NHE};
  const std::vector<PartLevel> levels = levels_of(parts, q_NHE.rows, sources);
  for_parts(levels, shape.num_kv_heads, [&](const Part& part, int64_t kv_head) {
    const PartHead head(q_NHE.dtype, shape, part, kv_head);
    const auto& [k, v] = sources[part.source];
    const PackedKeys keys{head.pack_keys_as_columns(k, scratch().k_as_columns),
                          head.pack_keys_as_columns(v, scratch().v_as_columns),
                          head.pack_keys_as_units(k, scratch().k_as_units)};
    const KeyValues& gradient = gradients[part.source];
    const int64_t rows = BackwardBlock::rows(head);
    for (int64_t begin = 0; begin < head.num_rows(); begin += rows) {
      const int64_t end = std::min(head.num_rows(), begin + rows);
      BackwardBlock block(head, keys, g, begin, end);
      const int64_t first = head.first_visible(begin) / kSegmentKeys * kSegmentKeys;
      for (int64_t key = first; key < head.visible(end - 1); key += kSegmentKeys) {
        block.set_segment(key);
        for_each_item(block.num_held(), [&](int64_t index) { block.add_dq(index); });
        if (gradient.k.data == nullptr) continue;
        for_each_item(block.num_panels(), [&](int64_t j) { block.add_dkv(j, gradient); });
      }
    }
  });
}

}  // namespace prescript::cpu
