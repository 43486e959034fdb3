#include "ops/cpu_gemm.h"

#include <algorithm>

#include <immintrin.h>

#include "base/error.h"
#include "ops/aligned.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_pack.h"
#include "ops/cpu_parallel.h"
#include "ops/cpu_weight.h"

namespace prescript::cpu {
namespace {

// Rows of activations that a thread takes through the whole weight at a time. With kGroup it
// bounds what the second-level cache holds: kTerms units of both operands, and their sums.
constexpr int64_t kHeldRows = 192;

// Rows of y, or columns of dx, whose sums are complete before the next ones begin.
constexpr int64_t kGroup = 144;

// Units of a sum for which activations lie packed. Longer sums are added up of such pieces, which
// also keeps their rounding small: the head's input gradient is a sum over the vocabulary.
constexpr int64_t kPiece = 1024;

struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

/// Part `index` of `count` nearly equal parts.
Range part_of(int64_t size, int64_t index, int64_t count) {
  return {size * index / count, size * (index + 1) / count};
}

/// Calls `body(rows, weights)` for ranges that cover both: blocks of at most `held` rows, and where
/// those are fewer than the threads, parts of the weight too.
template <typename Body>
void for_blocks(int64_t num_rows, int64_t held, int64_t num_weights, const Body& body) {
  const auto threads = static_cast<int64_t>(num_threads());
  int64_t blocks = round_up(num_rows, held) / held;
  if (blocks >= threads) {
    blocks = std::min(round_up(blocks, threads), num_rows);
  } else {
    while (threads % blocks != 0) ++blocks;
    blocks = std::min(blocks, num_rows);
  }
  const int64_t parts = std::clamp<int64_t>(threads / blocks, 1, num_weights);
  for_each_item(blocks * parts, [&](int64_t item) {
    body(part_of(num_rows, item / parts, blocks), part_of(num_weights, item % parts, parts));
  });
}

struct ThreadScratch {
  Scratch packed;  // activations
  Scratch weight;  // a converted block
  Scratch sums;    // of a group and a piece
  Scratch totals;  // of all groups, where there are several pieces
  Scratch turned;
};

ThreadScratch& scratch() {
  thread_local ThreadScratch instance;
  return instance;
}

/// Totals += sums, or = sums in the first piece. Where one piece is all, the sums are the totals.
float* add_piece(float* sums, float* totals, int64_t count, bool is_first) {
  if (totals == nullptr) return sums;
  if (is_first) {
    std::copy_n(sums, count, totals);
  } else {
    for (int64_t i = 0; i < count; ++i) totals[i] += sums[i];
  }
  return totals;
}

template <typename T>
PRESCRIPT_WIDEST void write(const float* sums, T* y, int64_t count, bool add) {
  if (add) {
    for (int64_t i = 0; i < count; ++i) store(widened(y[i]) + sums[i], y[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) store(sums[i], y[i]);
  }
}

/// Elements [col, col + count) of row `row` of y.
void write(const float* sums, const Tensor& y, int64_t row, int64_t col, int64_t count, bool add) {
  if (y.dtype == DType::kFloat32) {
    write(sums, y.row<float>(row) + col, count, add);
  } else {
    write(sums, y.row<uint16_t>(row) + col, count, add);
  }
}

/// y [cols, rows] = xᵀ, x [rows, cols] dense, rows of y `stride` apart. Extents are multiples of 4.
void turn(const float* x, int64_t rows, int64_t cols, int64_t stride, float* y) {
  for (int64_t r = 0; r < rows; r += 4) {
    for (int64_t c = 0; c < cols; c += 4) {
      __m128 four[4];
      for (int64_t i = 0; i < 4; ++i) four[i] = _mm_loadu_ps(x + (r + i) * cols + c);
      _MM_TRANSPOSE4_PS(four[0], four[1], four[2], four[3]);
      for (int64_t i = 0; i < 4; ++i) _mm_storeu_ps(y + (c + i) * stride + r, four[i]);
    }
  }
}

/// One block of y = x · weightᵀ: tiles of rows of x, panels of the weight.
class Product {
 public:
  Product(const GemmKernel& kernel, Tensor x, const WeightPanels& weight, Tensor y, bool add)
      : kernel_(kernel), x_(x), weight_(weight), y_(y), add_(add) {}

  void run(Range tiles, Range panels) const {
    const int64_t units = weight_.units();
    const int64_t piece = std::min(units, kPiece);
    const int64_t row = tiles.begin * kernel_.rows;
    const int64_t num_rows = std::min(tiles.end * kernel_.rows, x_.rows) - row;
    const int64_t group = std::max<int64_t>(1, kGroup / kernel_.cols);
    const int64_t panel_sums = tiles.size() * kernel_.rows * kernel_.cols;
    auto* const packed = scratch().packed.take<uint32_t>(tiles.size() * kernel_.rows *
                                                         round_up(piece, kernel_.cols));
    auto* const sums = scratch().sums.take<float>(group * panel_sums);
    float* const totals =
        units > piece ? scratch().totals.take<float>(panels.size() * panel_sums) : nullptr;
    for (int64_t begin = 0; begin < units; begin += piece) {
      const int64_t count = std::min(piece, units - begin);
      pack_left(kernel_, {x_, row, num_rows, begin, count}, packed);
      for (int64_t panel = panels.begin; panel < panels.end; panel += group) {
        const int64_t num_panels = std::min(group, panels.end - panel);
        multiply(packed, tiles.size(), {begin, begin + count}, panel, num_panels, sums);
        float* const group_totals =
            totals != nullptr ? totals + (panel - panels.begin) * panel_sums : nullptr;
        const float* const result =
            add_piece(sums, group_totals, num_panels * panel_sums, begin == 0);
        if (begin + count < units) continue;
        write_group(result, panel_sums, row, num_rows, panel, num_panels);
      }
    }
  }

 private:
  void multiply(const uint32_t* packed,
                int64_t num_tiles,
                Range units,
                int64_t panel,
                int64_t num_panels,
                float* sums) const {
    const int64_t tile_sums = kernel_.rows * kernel_.cols;
    const int64_t tile_units = kernel_.rows * round_up(units.size(), kernel_.cols);
    auto* const buffer = scratch().weight.take<uint32_t>(kTerms * kernel_.cols);
    for (int64_t u = units.begin; u < units.end; u += kTerms) {
      const int64_t terms = std::min(kTerms, units.end - u);
      const uint32_t* const x = packed + (u - units.begin) * kernel_.rows;
      for (int64_t i = 0; i < num_panels; ++i) {
        const uint32_t* const block = weight_.right_block(panel + i, u, terms, buffer);
        Ahead next;
        if (i + 1 < num_panels) {
          next = weight_.ahead_of_right(panel + i + 1, u, terms, num_tiles);
        } else if (u + kTerms < units.end) {
          next = weight_.ahead_of_right(
              panel, u + kTerms, std::min(kTerms, units.end - u - kTerms), num_tiles);
        }
        for (int64_t t = 0; t < num_tiles; ++t) {
          next.step();
          kernel_.multiply(x + t * tile_units,
                           tile_sums,
                           block,
                           terms,
                           u > units.begin,
                           sums + (i * num_tiles + t) * tile_sums);
        }
      }
    }
  }

  /// Row by row: lines of y that lie side by side are written one behind the other.
  void write_group(const float* sums,
                   int64_t panel_sums,
                   int64_t row,
                   int64_t num_rows,
                   int64_t panel,
                   int64_t num_panels) const {
    for (int64_t i = 0; i < num_rows; ++i) {
      for (int64_t p = 0; p < num_panels; ++p) {
        const int64_t col = (panel + p) * kernel_.cols;
        const int64_t cols = std::min(kernel_.cols, y_.cols - col);
        write(sums + p * panel_sums + i * kernel_.cols, y_, row + i, col, cols, add_);
      }
    }
  }

  const GemmKernel& kernel_;
  Tensor x_;
  const WeightPanels& weight_;
  Tensor y_;
  bool add_;
};

/// One block of dxᵀ = weightᵀ · dyᵀ: tiles of columns of the weight, panels of rows of dy.
class InputGradient {
 public:
  InputGradient(
      const GemmKernel& kernel, Tensor dy, const WeightPanels& weight, Tensor dx, bool add)
      : kernel_(kernel), dy_(dy), weight_(weight), dx_(dx), add_(add) {}

  void run(Range panels, Range tiles) const {
    const int64_t units = units_of(kernel_, dy_.cols);
    const int64_t piece = std::min(units, kPiece);
    const int64_t row = panels.begin * kernel_.cols;
    const int64_t num_rows = std::min(panels.end * kernel_.cols, dy_.rows) - row;
    const int64_t group = std::max<int64_t>(1, kGroup / kernel_.rows);
    const int64_t tile_sums = panels.size() * kernel_.rows * kernel_.cols;
    auto* const packed = scratch().packed.take<uint32_t>(panels.size() * kernel_.cols * piece);
    // `turn` reads whole fours of rows.
    auto* const sums = scratch().sums.take<float>(group * tile_sums + 4 * kernel_.cols);
    float* const totals =
        units > piece ? scratch().totals.take<float>(tiles.size() * tile_sums + 4 * kernel_.cols)
                      : nullptr;
    for (int64_t begin = 0; begin < units; begin += piece) {
      const int64_t count = std::min(piece, units - begin);
      pack_right(kernel_, {dy_, row, num_rows, begin, count}, packed);
      for (int64_t tile = tiles.begin; tile < tiles.end; tile += group) {
        const int64_t num_tiles = std::min(group, tiles.end - tile);
        multiply(packed, panels.size(), {begin, begin + count}, tile, num_tiles, sums);
        float* const group_totals =
            totals != nullptr ? totals + (tile - tiles.begin) * tile_sums : nullptr;
        const float* const result =
            add_piece(sums, group_totals, num_tiles * tile_sums, begin == 0);
        if (begin + count == units) write_group(result, row, num_rows, tile, num_tiles);
      }
    }
  }

 private:
  void multiply(const uint32_t* packed,
                int64_t num_panels,
                Range units,
                int64_t tile,
                int64_t num_tiles,
                float* sums) const {
    const int64_t tile_sums = kernel_.rows * kernel_.cols;
    const int64_t num_cols = num_tiles * kernel_.rows;
    auto* const buffer = scratch().weight.take<uint32_t>(kTerms * num_cols);
    for (int64_t u = units.begin; u < units.end; u += kTerms) {
      const int64_t terms = std::min(kTerms, units.end - u);
      const auto block = weight_.left_block(u, terms, tile * kernel_.rows, num_cols, buffer);
      Ahead next;
      if (u + kTerms < units.end) {
        next = weight_.ahead_of_left(u + kTerms,
                                     std::min(kTerms, units.end - u - kTerms),
                                     tile * kernel_.rows,
                                     num_cols,
                                     num_panels * num_tiles);
      }
      for (int64_t p = 0; p < num_panels; ++p) {
        const uint32_t* const dy = packed + (p * units.size() + u - units.begin) * kernel_.cols;
        for (int64_t t = 0; t < num_tiles; ++t) {
          next.step();
          kernel_.multiply(block.data + t * tile_sums,
                           block.stride,
                           dy,
                           terms,
                           u > units.begin,
                           sums + (p * num_tiles + t) * tile_sums);
        }
      }
    }
  }

  /// The sums of a panel are [columns of the weight, rows of dy].
  void write_group(
      const float* sums, int64_t row, int64_t num_rows, int64_t tile, int64_t num_tiles) const {
    const int64_t col = tile * kernel_.rows;
    const int64_t cols = std::min(num_tiles * kernel_.rows, dx_.cols - col);
    const int64_t stride = round_up(num_tiles * kernel_.rows, 4);
    auto* const turned = scratch().turned.take<float>(kernel_.cols * stride);
    for (int64_t n = 0; n < num_rows; n += kernel_.cols) {
      turn(sums + n * num_tiles * kernel_.rows, stride, kernel_.cols, stride, turned);
      for (int64_t i = 0; i < std::min(kernel_.cols, num_rows - n); ++i) {
        write(turned + i * stride, dx_, row + n + i, col, cols, add_);
      }
    }
  }

  const GemmKernel& kernel_;
  Tensor dy_;
  const WeightPanels& weight_;
  Tensor dx_;
  bool add_;
};

void check(const GemmKernel& kernel, const Tensor& x, const Weight& weight, const Tensor& y) {
  PRESCRIPT_CHECK(x.dtype == weight.dtype && x.dtype != DType::kFloat64, "gemm: dtypes");
  PRESCRIPT_CHECK(y.dtype == x.dtype || y.dtype == DType::kFloat32, "gemm: dtype of the result");
  PRESCRIPT_CHECK(x.dtype == DType::kBFloat16 || !kernel.takes_pairs, "gemm: pairs of float32");
}

}  // namespace

void gemm(const GemmKernel& kernel, Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) {
  check(kernel, x_NI, weight_OI, y_NO);
  if (x_NI.rows == 0) return;
  const WeightPanels weight(kernel, weight_OI);
  const Product product(kernel, x_NI, weight, y_NO, add);
  for_blocks(round_up(x_NI.rows, kernel.rows) / kernel.rows,
             kHeldRows / kernel.rows,
             weight.num_panels(),
             [&](Range tiles, Range panels) { product.run(tiles, panels); });
}

void gemm_input_gradient(
    const GemmKernel& kernel, Tensor dy_NO, Weight weight_OI, Tensor dx_NI, bool add) {
  check(kernel, dy_NO, weight_OI, dx_NI);
  if (dy_NO.rows == 0) return;
  const WeightPanels weight(kernel, weight_OI);
  const InputGradient gradient(kernel, dy_NO, weight, dx_NI, add);
  for_blocks(round_up(dy_NO.rows, kernel.cols) / kernel.cols,
             kHeldRows / kernel.cols,
             round_up(dx_NI.cols, kernel.rows) / kernel.rows,
             [&](Range panels, Range tiles) { gradient.run(panels, tiles); });
}

}  // namespace prescript::cpu
