// Attention over parts, float32 inside. Grouped query heads are folded into rows, so that K/V are
// never copied per head: for each of K heads, M·G query rows (M rows of the pass, G = H/K heads)
// meet the keys.
//   forward   S = scale·Q·Kᵀ, lse = log Σ exp S, O = exp(S − lse)·V, merged over parts by
//   log-sum-exp backward  P = exp(S − lse), dV += Pᵀ·dO, dS = P∘(dO·Vᵀ − rowsum(dO∘O)), dQ +=
//   scale·dS·K, dK += scale·dSᵀ·Q
// All products are those of the tile of ops/cpu_gemm. Scores lie as the tile leaves them, [panel of
// keys, query row, key]: as they lie, they are the left operand of P·V and dS·K, in chunks, and the
// right operand of dOᵀ·P and Qᵀ·dS. Source: Hydragen, arXiv 2402.05099, section 3;
// FlashAttention-2, arXiv 2307.08691, section 3.1.

#include "ops/cpu_attention.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <ATen/Parallel.h>

#include "ops/aligned.h"
#include "ops/check.h"
#include "ops/cpu_gemm.h"
#include "ops/cpu_rows.h"

#define PRESCRIPT_AVX2 __attribute__((target("avx2,fma")))

namespace prescript::cpu {
namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

// Scores of one head that exist at a time: with their gradients 8 MB of float32 stay in the
// last-level cache.
constexpr int64_t kScores = 1 << 20;

// Lanes of loops over the keys of a panel, whose width is a multiple of it.
constexpr int64_t kLanes = 16;

using Floats = Aligned<float>;

float widened(uint16_t x) {
  return std::bit_cast<float>(uint32_t{x} << 16);
}

/// Head `head` of row `row` of x, times `factor`.
void read_head(const Tensor& x, int64_t row, int64_t head, int64_t E, float factor, float* to) {
  if (x.dtype == DType::kFloat32) {
    const float* from = x.row<float>(row) + head * E;
    for (int64_t e = 0; e < E; ++e) to[e] = from[e] * factor;
  } else {
    const uint16_t* from = x.row<uint16_t>(row) + head * E;
    for (int64_t e = 0; e < E; ++e) to[e] = widened(from[e]) * factor;
  }
}

/// exp(x) for x <= 88, to 2 units in the last place; 0 below -87. Source: Cephes, expf.
PRESCRIPT_AVX2 inline float exponential(float x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
  const float clamped = x < -87.0F ? -87.0F : x;
  const float shifted = clamped * 1.44269504F + kMagic;
  const float n = shifted - kMagic;
  const float r = (clamped - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const float power = std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + 127U) << 23);
  return x < -87.0F ? 0.0F : p * power;
}

/// Part of one kv head: operands of the keys, packed once.
class Keys {
 public:
  Keys(const GemmKernel& kernel,
       const AttentionShape& shape,
       const KeyValues& source,
       const Part& part,
       int64_t head,
       bool backward)
      : kernel_(kernel),
        E_(shape.head_size),
        N_(part.num_keys),
        num_panels_(round_up(N_, kernel.cols) / kernel.cols),
        scores_of_k(pack_transposed(source.k, part.key_begin, head)) {
    if (backward) {
      columns = pack_columns(source.k, part.key_begin, head);
      scores_of_v = pack_transposed(source.v, part.key_begin, head);
    } else {
      columns = pack_columns(source.v, part.key_begin, head);
    }
  }

  int64_t num_keys() const { return N_; }
  int64_t num_panels() const { return num_panels_; }

 private:
  /// [panel, E, cols]: keys are columns.
  Floats pack_transposed(const Tensor& x, int64_t begin, int64_t head) const {
    Floats packed = allocate<float>(num_panels_ * E_ * kernel_.cols);
    std::vector<float> row(static_cast<size_t>(E_), 0.0F);
    for (int64_t n = 0; n < num_panels_ * kernel_.cols; ++n) {
      if (n < N_)
        read_head(x, begin + n, head, E_, 1, row.data());
      else
        std::fill(row.begin(), row.end(), 0.0F);
      float* to = packed.get() + n / kernel_.cols * E_ * kernel_.cols + n % kernel_.cols;
      for (int64_t e = 0; e < E_; ++e) to[e * kernel_.cols] = row[e];
    }
    return packed;
  }

  /// [panel of E, N, cols]: keys are units.
  Floats pack_columns(const Tensor& x, int64_t begin, int64_t head) const {
    const int64_t cols = kernel_.cols;
    const int64_t panels = round_up(E_, cols) / cols;
    Floats packed = allocate<float>(panels * N_ * cols);
    std::vector<float> row(static_cast<size_t>(panels * cols), 0.0F);
    for (int64_t n = 0; n < N_; ++n) {
      read_head(x, begin + n, head, E_, 1, row.data());
      for (int64_t p = 0; p < panels; ++p) {
        std::copy_n(row.data() + p * cols, cols, packed.get() + (p * N_ + n) * cols);
      }
    }
    return packed;
  }

  const GemmKernel& kernel_;
  int64_t E_;
  int64_t N_;
  int64_t num_panels_;

 public:
  Floats scores_of_k;                          // K as columns: Q·Kᵀ
  Floats scores_of_v = {nullptr, &std::free};  // V as columns, in the backward: dO·Vᵀ
  Floats columns = {nullptr, &std::free};      // V, in the backward K: P·V, dS·K
};

/// What all parts of one attention share.
struct Problem {
  const GemmKernel& kernel;
  const AttentionShape& shape;
  Tensor q_NHE;
  int64_t G;  // query heads of a kv head

  int64_t rows() const { return kernel.rows; }
  int64_t cols() const { return kernel.cols; }
  int64_t E() const { return shape.head_size; }
  int64_t num_heads() const { return shape.num_kv_heads; }
  int64_t tiles_of(int64_t num_rows) const { return round_up(num_rows, rows()) / rows(); }

  /// Pass row and query head of row `r` of a part's folded rows.
  int64_t pass_row(const Part& part, int64_t r) const { return part.query_begin + r / G; }
  int64_t query_head(int64_t head, int64_t r) const { return head * G + r % G; }

  static uint32_t* units(float* x) { return reinterpret_cast<uint32_t*>(x); }
  static const uint32_t* units(const float* x) { return reinterpret_cast<const uint32_t*>(x); }

  void add(const float* x, int64_t x_stride, const float* weight, int64_t n, float* sums) const {
    for (int64_t u = 0; u < n; u += kTerms) {
      kernel.add_tile(units(x + u / cols() * x_stride),
                      x_stride,
                      units(weight + u * cols()),
                      std::min(kTerms, n - u),
                      sums);
    }
  }

  /// Folded rows [begin, begin + rows) of x, those behind `end` zero, as [E / cols, rows, cols].
  void pack_rows(const Tensor& x,
                 const Part& part,
                 int64_t head,
                 int64_t begin,
                 int64_t end,
                 float factor,
                 float* packed) const {
    const int64_t chunks = round_up(E(), cols()) / cols();
    std::vector<float> row(static_cast<size_t>(chunks * cols()), 0.0F);
    for (int64_t i = 0; i < rows(); ++i) {
      if (begin + i < end) {
        read_head(
            x, pass_row(part, begin + i), query_head(head, begin + i), E(), factor, row.data());
      } else {
        std::fill(row.begin(), row.end(), 0.0F);
      }
      for (int64_t c = 0; c < chunks; ++c) {
        std::copy_n(row.data() + c * cols(), cols(), packed + (c * rows() + i) * cols());
      }
    }
  }
  int64_t packed_row_floats() const { return round_up(E(), cols()) * rows(); }

  /// Keys that folded row `r` of the part sees.
  int64_t visible(const Part& part, int64_t r) const {
    if (part.causal_offset == Part::kNoMask) return part.num_keys;
    return std::min<int64_t>(part.num_keys, part.causal_offset + r / G + 1);
  }

  /// Panels of keys that some row of the tile from `begin` on sees.
  int64_t panels_of_tile(const Part& part, int64_t begin, int64_t num_rows) const {
    const int64_t last = std::min(begin + rows(), num_rows) - 1;
    return round_up(visible(part, last), cols()) / cols();
  }
};

/// The output of one tile of a part, merged with what stands in `merged` and `lse`.
class ForwardTile {
 public:
  ForwardTile(const Problem& problem, const Part& part, int64_t head, const Keys& keys)
      : p_(problem),
        part_(part),
        head_(head),
        keys_(keys),
        num_rows_(part.num_queries * problem.G),
        packed_q_(allocate<float>(problem.packed_row_floats())),
        scores_(allocate<float>(keys.num_panels() * problem.rows() * problem.cols())),
        out_(allocate<float>(problem.packed_row_floats())) {}

  void run(int64_t begin, Tensor merged_NHE, Tensor lse_NH) {
    const int64_t tile = p_.rows() * p_.cols();
    const int64_t panels = p_.panels_of_tile(part_, begin, num_rows_);
    p_.pack_rows(p_.q_NHE,
                 part_,
                 head_,
                 begin,
                 num_rows_,
                 static_cast<float>(p_.shape.scale),
                 packed_q_.get());
    std::fill_n(scores_.get(), panels * tile, 0.0F);
    for (int64_t j = 0; j < panels; ++j) {
      p_.add(packed_q_.get(),
             tile,
             keys_.scores_of_k.get() + j * p_.E() * p_.cols(),
             p_.E(),
             scores_.get() + j * tile);
    }
    const int64_t rows = std::min(p_.rows(), num_rows_ - begin);
    std::vector<float> part_lse(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) {
      part_lse[i] = softmax(i, panels, p_.visible(part_, begin + i));
    }
    const int64_t panels_E = round_up(p_.E(), p_.cols()) / p_.cols();
    std::fill_n(out_.get(), panels_E * tile, 0.0F);
    for (int64_t c = 0; c < panels_E; ++c) {
      p_.add(scores_.get(),
             tile,
             keys_.columns.get() + c * keys_.num_keys() * p_.cols(),
             std::min(panels * p_.cols(), keys_.num_keys()),
             out_.get() + c * tile);
    }
    for (int64_t i = 0; i < rows; ++i) merge(i, begin + i, part_lse[i], merged_NHE, lse_NH);
  }

 private:
  /// Turns row `i` of the scores into probabilities; returns its log-sum-exp.
  PRESCRIPT_AVX2 float softmax(int64_t i, int64_t panels, int64_t visible) {
    float* row = scores_.get() + i * p_.cols();
    const int64_t tile = p_.rows() * p_.cols();
    for (int64_t n = visible; n < panels * p_.cols(); ++n) {
      row[n / p_.cols() * tile + n % p_.cols()] = kHidden;
    }
    float lanes[kLanes];
    std::fill_n(lanes, kLanes, kHidden);
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < p_.cols(); c += kLanes) {
        const float* s = row + j * tile + c;
        for (int64_t k = 0; k < kLanes; ++k)
          lanes[k] = lanes[k] < s[k] || s[k] != s[k] ? s[k] : lanes[k];
      }
    }
    float max = lanes[0];
    for (const float lane : lanes) max = max < lane || lane != lane ? lane : max;
    std::fill_n(lanes, kLanes, 0.0F);
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < p_.cols(); c += kLanes) {
        float* s = row + j * tile + c;
        for (int64_t k = 0; k < kLanes; ++k) {
          s[k] = exponential(s[k] - max);
          lanes[k] += s[k];
        }
      }
    }
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    const float scale = 1 / sum;
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < p_.cols(); ++c) row[j * tile + c] *= scale;
    }
    return max + std::log(sum);
  }

  void merge(int64_t i, int64_t r, float part_lse, Tensor merged_NHE, Tensor lse_NH) const {
    const int64_t row = p_.pass_row(part_, r);
    const int64_t head = p_.query_head(head_, r);
    float& lse = lse_NH.row<float>(row)[head];
    const float max = std::max(lse, part_lse);
    const float both = max + std::log(std::exp(lse - max) + std::exp(part_lse - max));
    const float before = std::exp(lse - both);
    const float here = std::exp(part_lse - both);
    float* to = merged_NHE.row<float>(row) + head * p_.E();
    for (int64_t e = 0; e < p_.E(); ++e) {
      const int64_t c = e / p_.cols();
      to[e] = to[e] * before + out_[(c * p_.rows() + i) * p_.cols() + e % p_.cols()] * here;
    }
    lse = both;
  }

  const Problem& p_;
  const Part& part_;
  int64_t head_;
  const Keys& keys_;
  int64_t num_rows_;  // folded
  Floats packed_q_;
  Floats scores_;
  Floats out_;
};

/// Calls `alone(part, head)` or `shared(part)` for all parts: first those without a mask, in order,
/// each by all threads; then the causal ones, which write to rows of their own node only, node by
/// node and head by head over the threads. A row's parts without a mask stand before its causal
/// part, so the order of merging and accumulating is that of `parts`.
template <typename Shared, typename Alone>
void for_parts(std::span<const Part> parts,
               int64_t num_heads,
               const Shared& shared,
               const Alone& alone) {
  std::vector<std::vector<Part>> causal;  // by node
  for (const Part& part : parts) {
    if (part.causal_offset == Part::kNoMask) {
      shared(part);
    } else if (!causal.empty() && causal.back().front().source == part.source &&
               causal.back().front().key_begin == part.key_begin) {
      causal.back().push_back(part);
    } else {
      causal.push_back({part});
    }
  }
  const auto num_items = static_cast<int64_t>(causal.size()) * num_heads;
  at::parallel_for(0, num_items, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      for (const Part& part : causal[item / num_heads]) alone(part, item % num_heads);
    }
  });
}

/// What the backward reads and writes.
struct Gradients {
  Tensor out_NHE;
  Tensor lse_NH;
  Tensor dout_NHE;
  Tensor dq_NHE;
};

/// The backward of a block of folded rows [begin, end) of one part and kv head: first `add_dq` of
/// every tile, then `add_dkv` of every panel.
class BackwardBlock {
 public:
  BackwardBlock(const Problem& problem,
                const Gradients& gradients,
                const Part& part,
                int64_t head,
                const Keys& keys,
                int64_t begin,
                int64_t end)
      : p_(problem),
        g_(gradients),
        part_(part),
        head_(head),
        keys_(keys),
        begin_(begin),
        end_(end),
        num_tiles_(problem.tiles_of(end - begin)),
        panel_floats_(num_tiles_ * problem.rows() * problem.cols()),
        probabilities_(allocate<float>(keys.num_panels() * panel_floats_)),
        dscores_(allocate<float>(keys.num_panels() * panel_floats_)),
        turned_q_(pack_turned(problem.q_NHE, static_cast<float>(problem.shape.scale))),
        turned_dout_(pack_turned(gradients.dout_NHE, 1)) {}

  int64_t num_tiles() const { return num_tiles_; }
  int64_t num_panels() const { return keys_.num_panels(); }

  /// Leaves P and dS of tile `t` and adds to dQ of its rows.
  void add_dq(int64_t t) {
    const int64_t tile = p_.rows() * p_.cols();
    const int64_t first = begin_ + t * p_.rows();
    const int64_t rows = std::min(p_.rows(), end_ - first);
    const int64_t panels = p_.panels_of_tile(part_, first, end_);
    const Floats packed = allocate<float>(p_.packed_row_floats());
    const auto scores = [&](const Tensor& x, float factor, const Floats& weight, const Floats& to) {
      p_.pack_rows(x, part_, head_, first, end_, factor, packed.get());
      for (int64_t j = 0; j < keys_.num_panels(); ++j) {
        float* sums = to.get() + j * panel_floats_ + t * tile;
        std::fill_n(sums, tile, 0.0F);
        if (j >= panels) continue;  // no row of the tile sees it
        p_.add(packed.get(), tile, weight.get() + j * p_.E() * p_.cols(), p_.E(), sums);
      }
    };
    scores(p_.q_NHE, static_cast<float>(p_.shape.scale), keys_.scores_of_k, probabilities_);
    scores(g_.dout_NHE, 1, keys_.scores_of_v, dscores_);
    for (int64_t i = 0; i < rows; ++i) differentiate(t, i, first + i, panels);

    const int64_t panels_E = round_up(p_.E(), p_.cols()) / p_.cols();
    std::fill_n(packed.get(), panels_E * tile, 0.0F);
    for (int64_t c = 0; c < panels_E; ++c) {
      p_.add(dscores_.get() + t * tile,
             panel_floats_,
             keys_.columns.get() + c * keys_.num_keys() * p_.cols(),
             std::min(panels * p_.cols(), keys_.num_keys()),
             packed.get() + c * tile);
    }
    const auto scale = static_cast<float>(p_.shape.scale);
    for (int64_t i = 0; i < rows; ++i) {
      float* to = g_.dq_NHE.row<float>(p_.pass_row(part_, first + i)) +
                  p_.query_head(head_, first + i) * p_.E();
      for (int64_t e = 0; e < p_.E(); ++e) {
        const int64_t c = e / p_.cols();
        to[e] += scale * packed[(c * p_.rows() + i) * p_.cols() + e % p_.cols()];
      }
    }
  }

  /// Adds to the gradients of the keys and values of panel `j`.
  void add_dkv(int64_t j, const KeyValues& gradient) const {
    add_turned(j, turned_q_, dscores_, gradient.k);
    add_turned(j, turned_dout_, probabilities_, gradient.v);
  }

 private:
  /// P = exp(S − lse), dS = P∘(dP − rowsum(dO∘O)) of row `i` of tile `t`.
  PRESCRIPT_AVX2 void differentiate(int64_t t, int64_t i, int64_t r, int64_t panels) {
    const int64_t row = p_.pass_row(part_, r);
    const int64_t head = p_.query_head(head_, r);
    const int64_t at = (t * p_.rows() + i) * p_.cols();
    float* const p = probabilities_.get() + at;
    float* const ds = dscores_.get() + at;
    const int64_t visible = p_.visible(part_, r);
    for (int64_t n = visible; n < panels * p_.cols(); ++n) {
      p[n / p_.cols() * panel_floats_ + n % p_.cols()] = kHidden;
    }
    std::vector<float> dout(static_cast<size_t>(p_.E()));
    std::vector<float> out(static_cast<size_t>(p_.E()));
    read_head(g_.dout_NHE, row, head, p_.E(), 1, dout.data());
    read_head(g_.out_NHE, row, head, p_.E(), 1, out.data());
    float lanes[kLanes] = {};
    for (int64_t e = 0; e < p_.E(); ++e) lanes[e % kLanes] += dout[e] * out[e];
    float projection = 0;
    for (const float lane : lanes) projection += lane;
    const float lse = g_.lse_NH.row<float>(row)[head];
    for (int64_t j = 0; j < panels; ++j) {
      for (int64_t c = 0; c < p_.cols(); c += kLanes) {
        float* const pj = p + j * panel_floats_ + c;
        float* const dsj = ds + j * panel_floats_ + c;
        for (int64_t k = 0; k < kLanes; ++k) {
          pj[k] = exponential(pj[k] - lse);
          dsj[k] = pj[k] * (dsj[k] - projection);
        }
      }
    }
  }

  /// The block's rows of x turned over, as [tile of E, rows / cols, kernel rows, cols].
  Floats pack_turned(const Tensor& x, float factor) const {
    const int64_t chunks = round_up(end_ - begin_, p_.cols()) / p_.cols();
    const int64_t tile = p_.rows() * p_.cols();
    const int64_t tiles_E = p_.tiles_of(p_.E());
    Floats packed = allocate<float>(tiles_E * chunks * tile);
    std::fill_n(packed.get(), tiles_E * chunks * tile, 0.0F);
    std::vector<float> row(static_cast<size_t>(p_.E()));
    for (int64_t r = begin_; r < end_; ++r) {
      read_head(x, p_.pass_row(part_, r), p_.query_head(head_, r), p_.E(), factor, row.data());
      float* to = packed.get() + (r - begin_) / p_.cols() * tile + (r - begin_) % p_.cols();
      for (int64_t e = 0; e < p_.E(); ++e) {
        to[e / p_.rows() * chunks * tile + e % p_.rows() * p_.cols()] = row[e];
      }
    }
    return packed;
  }

  /// Adds x · scores of panel `j`, whose rows are the elements of the head, to rows of `sum`.
  void add_turned(int64_t j, const Floats& x, const Floats& scores, const Tensor& sum) const {
    const int64_t tile = p_.rows() * p_.cols();
    const int64_t num_rows = end_ - begin_;
    const int64_t chunks = round_up(num_rows, p_.cols()) / p_.cols();
    const int64_t keys = std::min(p_.cols(), keys_.num_keys() - j * p_.cols());
    const Floats sums = allocate<float>(tile);
    const Aligned<double> totals = allocate<double>(tile);
    for (int64_t t = 0; t < p_.tiles_of(p_.E()); ++t) {
      std::fill_n(totals.get(), tile, 0.0);
      // Rows before the first that sees a key of the panel are left out, in whole chunks.
      // K/V gradients nearly cancel where all rows attend to one key: blocks are added in float64.
      for (int64_t row = first_row(j) / p_.cols() * p_.cols(); row < num_rows; row += kTerms) {
        std::fill_n(sums.get(), tile, 0.0F);
        p_.add(x.get() + (t * chunks + row / p_.cols()) * tile,
               tile,
               scores.get() + j * panel_floats_ + row * p_.cols(),
               std::min(kTerms, num_rows - row),
               sums.get());
        for (int64_t i = 0; i < tile; ++i) totals[i] += sums[i];
      }
      const int64_t elements = std::min(p_.rows(), p_.E() - t * p_.rows());
      for (int64_t n = 0; n < keys; ++n) {
        double* to =
            sum.row<double>(part_.key_begin + j * p_.cols() + n) + head_ * p_.E() + t * p_.rows();
        for (int64_t e = 0; e < elements; ++e) to[e] += totals[e * p_.cols() + n];
      }
    }
  }

  /// The first row of the block that sees a key of panel `j`; at most the last row.
  int64_t first_row(int64_t j) const {
    if (part_.causal_offset == Part::kNoMask) return 0;
    const int64_t query = std::max<int64_t>(0, j * p_.cols() - part_.causal_offset);
    return std::clamp<int64_t>(query * p_.G - begin_, 0, end_ - begin_ - 1);
  }

  const Problem& p_;
  const Gradients& g_;
  const Part& part_;
  int64_t head_;
  const Keys& keys_;
  int64_t begin_;
  int64_t end_;
  int64_t num_tiles_;
  int64_t panel_floats_;  // of scores: all rows of the block, the keys of a panel
  Floats probabilities_;  // [panel, row, key], at first the scores
  Floats dscores_;        // the same, at first dO·Vᵀ
  Floats turned_q_;       // scale·Qᵀ
  Floats turned_dout_;
};

/// Folded rows of a block of a part whose scores fit.
int64_t block_rows(const Problem& p, const Part& part) {
  return round_up(std::max<int64_t>(kScores / round_up(part.num_keys, p.cols()), 1), p.rows());
}

}  // namespace

void attention(const AttentionShape& shape,
               std::span<const Part> parts,
               Tensor q_NHE,
               std::span<const KeyValues> sources,
               Tensor out_NHE,
               Tensor lse_NH) {
  ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
  if (q_NHE.rows == 0) return;
  const Problem p{gemm_kernel(DType::kFloat32), shape, q_NHE, shape.num_heads / shape.num_kv_heads};
  const Floats block = allocate<float>(q_NHE.rows * q_NHE.cols);
  const Tensor merged{block.get(), DType::kFloat32, q_NHE.rows, q_NHE.cols, q_NHE.cols};
  zero(merged);
  for (int64_t n = 0; n < lse_NH.rows; ++n) std::fill_n(lse_NH.row<float>(n), lse_NH.cols, kHidden);

  const auto run =
      [&](const Part& part, int64_t head, const Keys& keys, int64_t begin, int64_t end) {
        ForwardTile tile(p, part, head, keys);
        for (int64_t t = begin; t < end; ++t) tile.run(t * p.rows(), merged, lse_NH);
      };
  const auto shared = [&](const Part& part) {
    const int64_t tiles = p.tiles_of(part.num_queries * p.G);
    std::vector<Keys> keys;
    for (int64_t head = 0; head < p.num_heads(); ++head) {
      keys.emplace_back(p.kernel, shape, sources[part.source], part, head, false);
    }
    at::parallel_for(0, tiles * p.num_heads(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end;) {
        const int64_t head = item / tiles;
        const int64_t until = std::min(end, (head + 1) * tiles);
        run(part, head, keys[head], item - head * tiles, until - head * tiles);
        item = until;
      }
    });
  };
  const auto alone = [&](const Part& part, int64_t head) {
    const Keys keys(p.kernel, shape, sources[part.source], part, head, false);
    run(part, head, keys, 0, p.tiles_of(part.num_queries * p.G));
  };
  for_parts(parts, p.num_heads(), shared, alone);
  copy(merged, out_NHE);
}

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
  const Problem p{gemm_kernel(DType::kFloat32), shape, q_NHE, shape.num_heads / shape.num_kv_heads};
  const Gradients g{out_NHE, lse_NH, dout_NHE, dq_NHE};

  const auto shared = [&](const Part& part) {
    const int64_t num_rows = part.num_queries * p.G;
    const KeyValues& gradient = gradients[part.source];
    for (int64_t head = 0; head < p.num_heads(); ++head) {
      const Keys keys(p.kernel, shape, sources[part.source], part, head, true);
      for (int64_t begin = 0; begin < num_rows; begin += block_rows(p, part)) {
        const int64_t end = std::min(num_rows, begin + block_rows(p, part));
        BackwardBlock block(p, g, part, head, keys, begin, end);
        at::parallel_for(0, block.num_tiles(), 1, [&](int64_t first, int64_t last) {
          for (int64_t t = first; t < last; ++t) block.add_dq(t);
        });
        if (gradient.k.data == nullptr) continue;
        at::parallel_for(0, block.num_panels(), 1, [&](int64_t first, int64_t last) {
          for (int64_t j = first; j < last; ++j) block.add_dkv(j, gradient);
        });
      }
    }
  };
  const auto alone = [&](const Part& part, int64_t head) {
    const int64_t num_rows = part.num_queries * p.G;
    const KeyValues& gradient = gradients[part.source];
    const Keys keys(p.kernel, shape, sources[part.source], part, head, true);
    for (int64_t begin = 0; begin < num_rows; begin += block_rows(p, part)) {
      BackwardBlock block(
          p, g, part, head, keys, begin, std::min(num_rows, begin + block_rows(p, part)));
      for (int64_t t = 0; t < block.num_tiles(); ++t) block.add_dq(t);
      if (gradient.k.data == nullptr) continue;
      for (int64_t j = 0; j < block.num_panels(); ++j) block.add_dkv(j, gradient);
    }
  };
  for_parts(parts, p.num_heads(), shared, alone);
}

}  // namespace prescript::cpu
