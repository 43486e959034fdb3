// The input gradient of attention over parts, float32 inside, for blocks of the M·G query rows of
// each kv head of a part:
//   P = exp(S − lse), dV += Pᵀ·dO, dS = P∘(dO·Vᵀ − rowsum(dO∘O)), dQ += scale·dS·K,
//   dK += scale·dSᵀ·Q
// Source: FlashAttention-2, arXiv 2307.08691, section 3.1.

#include <algorithm>

#include "ops/check.h"
#include "ops/cpu_attention.h"
#include "ops/cpu_attention_part.h"
#include "ops/cpu_rows.h"

namespace prescript::cpu {
namespace {

// Scores of one block that exist at a time: with their gradients 8 MB of float32 stay in the
// last-level cache.
constexpr int64_t kScores = 1 << 20;

/// Of a thread. Keys and blocks are packed by the thread that holds the part, the rest by those
/// that share its work.
struct ThreadScratch {
  Scratch k_as_columns;
  Scratch v_as_columns;
  Scratch k_as_units;
  Scratch probabilities;
  Scratch dscores;
  Scratch turned_q;
  Scratch turned_dout;
  Scratch tile;
  Scratch sums;
  Scratch totals;
};

ThreadScratch& scratch() {
  thread_local ThreadScratch instance;
  return instance;
}

/// What the backward reads, and dQ.
struct Gradients {
  Tensor q_NHE;
  Tensor out_NHE;
  Tensor lse_NH;
  Tensor dout_NHE;
  Tensor dq_NHE;
};

/// Operands of the keys of one kv head of a part.
struct PackedKeys {
  const float* k_as_columns;  // Q·Kᵀ
  const float* v_as_columns;  // dO·Vᵀ
  const float* k_as_units;    // dS·K
};

/// The backward of rows [begin, end) of one kv head of a part: first `add_dq` of every tile, then
/// `add_dkv` of every panel.
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
        panel_floats_(head.tiles_of(end - begin) * tile_),
        probabilities_(scratch().probabilities.take<float>(num_panels() * panel_floats_)),
        dscores_(scratch().dscores.take<float>(num_panels() * panel_floats_)),
        turned_q_(head.pack_turned(g_.q_NHE, begin, end, head.scale(), scratch().turned_q)),
        turned_dout_(head.pack_turned(g_.dout_NHE, begin, end, 1, scratch().turned_dout)) {}

  int64_t num_tiles() const { return head_.tiles_of(end_ - begin_); }
  int64_t num_panels() const { return head_.panels_of(head_.num_keys()); }

  /// Leaves P and dS of tile `t` and adds to dQ of its rows.
  void add_dq(int64_t t) {
    const int64_t first = begin_ + t * head_.kernel().rows;
    const int64_t last = std::min(first + head_.kernel().rows, end_);
    const int64_t panels = head_.visible_panels(first);
    float* const packed = scratch().tile.take<float>(head_.packed_tile_floats());
    head_.pack_tile(g_.q_NHE, first, last, head_.scale(), packed);
    multiply(packed, keys_.k_as_columns, panels, probabilities_ + t * tile_);
    head_.pack_tile(g_.dout_NHE, first, last, 1, packed);
    multiply(packed, keys_.v_as_columns, panels, dscores_ + t * tile_);
    for (int64_t r = first; r < last; ++r) differentiate(r, panels);

    std::fill_n(packed, head_.packed_tile_floats(), 0.0F);
    for (int64_t c = 0; c < head_.panels_of(head_.E()); ++c) {
      add_product(head_.kernel(),
                  dscores_ + t * tile_,
                  panel_floats_,
                  keys_.k_as_units + c * head_.num_keys() * cols_,
                  std::min(panels * cols_, head_.num_keys()),
                  packed + c * tile_);
    }
    for (int64_t r = first; r < last; ++r) {
      const float* from = packed + (r - first) * cols_;
      float* to = head_.query<float>(g_.dq_NHE, r);
      for (int64_t e = 0; e < head_.E(); e += cols_, from += tile_) {
        const int64_t count = std::min(cols_, head_.E() - e);
        for (int64_t k = 0; k < count; ++k) to[e + k] += head_.scale() * from[k];
      }
    }
  }

  /// Adds to the gradients of the keys and values of panel `j`.
  void add_dkv(int64_t j, const KeyValues& gradient) const {
    add_turned(j, turned_q_, dscores_, gradient.k);
    add_turned(j, turned_dout_, probabilities_, gradient.v);
  }

 private:
  /// Scores of one tile of rows, zero where no row of it sees the panel.
  void multiply(const float* rows, const float* keys, int64_t panels, float* scores) const {
    for (int64_t j = 0; j < num_panels(); ++j, scores += panel_floats_) {
      std::fill_n(scores, tile_, 0.0F);
      if (j >= panels) continue;
      const float* panel = keys + j * head_.E() * cols_;
      add_product(head_.kernel(), rows, tile_, panel, head_.E(), scores);
    }
  }

  /// P and dS of row `r` from S and dO·Vᵀ.
  PRESCRIPT_AVX2 void differentiate(int64_t r, int64_t panels) {
    float* const p = probabilities_ + (r - begin_) * cols_;
    float* const ds = dscores_ + (r - begin_) * cols_;
    head_.hide(r, panels, panel_floats_, p);
    const float projection = head_.dot(g_.dout_NHE, g_.out_NHE, r);
    const float lse = head_.of_query_head(g_.lse_NH, r);
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < cols_; c += kLanes) {
        float* const pj = p + j * panel_floats_ + c;
        float* const dsj = ds + j * panel_floats_ + c;
        for (int64_t k = 0; k < kLanes; ++k) {
          pj[k] = exponential(pj[k] - lse);
          dsj[k] = pj[k] * (dsj[k] - projection);
        }
      }
    }
  }

  /// Adds x · scores of panel `j`, whose rows are the elements of the head, to rows of `sum`.
  /// K/V gradients nearly cancel where all rows attend to one key: blocks are added in float64.
  void add_turned(int64_t j, const float* x, const float* scores, const Tensor& sum) const {
    const int64_t num_rows = end_ - begin_;
    const int64_t chunks = head_.panels_of(num_rows);
    // Rows before the first that sees a key of the panel are left out, in whole chunks.
    const int64_t first = (head_.first_row(j, begin_, end_) - begin_) / cols_ * cols_;
    const int64_t keys = std::min(cols_, head_.num_keys() - j * cols_);
    float* const sums = scratch().sums.take<float>(tile_);
    double* const totals = scratch().totals.take<double>(tile_);
    for (int64_t e = 0; e < head_.E(); e += head_.kernel().rows) {
      const float* tile = x + e / head_.kernel().rows * chunks * tile_;
      std::fill_n(totals, tile_, 0.0);
      for (int64_t row = first; row < num_rows; row += kTerms) {
        std::fill_n(sums, tile_, 0.0F);
        add_product(head_.kernel(),
                    tile + row / cols_ * tile_,
                    tile_,
                    scores + j * panel_floats_ + row * cols_,
                    std::min(kTerms, num_rows - row),
                    sums);
        for (int64_t i = 0; i < tile_; ++i) totals[i] += sums[i];
      }
      const int64_t elements = std::min(head_.kernel().rows, head_.E() - e);
      for (int64_t n = 0; n < keys; ++n) {
        double* to = head_.key<double>(sum, j * cols_ + n) + e;
        for (int64_t i = 0; i < elements; ++i) to[i] += totals[i * cols_ + n];
      }
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
};

/// Rows of a block whose scores fit, in whole tiles.
int64_t block_rows(const PartHead& head) {
  const int64_t keys = head.panels_of(head.num_keys()) * head.kernel().cols;
  return round_up(std::max<int64_t>(kScores / keys, 1), head.kernel().rows);
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
  const GemmKernel& kernel = gemm_kernel(DType::kFloat32);
  const Gradients g{q_NHE, out_NHE, lse_NH, dout_NHE, dq_NHE};
  for_parts(parts, shape.num_kv_heads, [&](const Part& part, int64_t kv_head) {
    const PartHead head(kernel, shape, part, kv_head);
    const auto& [k, v] = sources[part.source];
    const PackedKeys keys{head.pack_keys_as_columns(k, scratch().k_as_columns),
                          head.pack_keys_as_columns(v, scratch().v_as_columns),
                          head.pack_keys_as_units(k, scratch().k_as_units)};
    const KeyValues& gradient = gradients[part.source];
    for (int64_t begin = 0; begin < head.num_rows(); begin += block_rows(head)) {
      BackwardBlock block(
          head, keys, g, begin, std::min(head.num_rows(), begin + block_rows(head)));
      at::parallel_for(0, block.num_tiles(), 1, [&](int64_t first, int64_t last) {
        for (int64_t t = first; t < last; ++t) block.add_dq(t);
      });
      if (gradient.k.data == nullptr) continue;
      at::parallel_for(0, block.num_panels(), 1, [&](int64_t first, int64_t last) {
        for (int64_t j = first; j < last; ++j) block.add_dkv(j, gradient);
      });
    }
  });
}

}  // namespace prescript::cpu
