#pragma once
// What the forward and the backward of attention share: one kv head of one part, and its operands
// in the order in which the tiles of ops/cpu_kernels read them. Scores lie as the tile leaves them,
// [panel of keys, query row, key]: as they lie, they are the left operand of P·V and dS·K, in
// chunks, and the right operand of dOᵀ·P and Qᵀ·dS.

#include <algorithm>
#include <limits>
#include <span>

#include "ops/aligned.h"
#include "ops/cpu_kernels.h"
#include "ops/cpu_pack.h"
#include "ops/ops.h"

namespace prescript::cpu {

/// Score of a key that a query does not see.
inline constexpr float kHidden = -std::numeric_limits<float>::infinity();

// Scores are kept as powers of two: exp(x) = 2^(x·log2 e).
inline constexpr float kLog2E = 1.44269504F;
inline constexpr float kLn2 = 0.693147181F;

/// sums [kernel rows, cols] = x · weight over `units` units of a weight's panel. x lies in chunks
/// of the kernel's columns, `x_stride` floats apart.
void multiply(const GemmKernel& kernel,
              const float* x,
              int64_t x_stride,
              const float* weight,
              int64_t units,
              float* sums);

/// y[i] = y[i] · keep + x[i] · factor for `count` elements of x in chunks of the kernel's columns,
/// `x_stride` floats apart.
void add_chunks(const GemmKernel& kernel,
                const float* x,
                int64_t x_stride,
                int64_t count,
                float keep,
                float factor,
                float* y);

/// One kv head of a part. Its G = H/K query heads are folded into rows: row r is query r / G of the
/// part under head r % G of the group, so that keys and values are never copied per query head.
class PartHead {
 public:
  /// Of operands of `dtype`.
  PartHead(DType dtype, const AttentionShape& shape, const Part& part, int64_t head)
      : kernel_(gemm_kernel(DType::kFloat32)),
        dot_kernel_(gemm_kernel(dtype)),
        shape_(shape),
        part_(part),
        head_(head),
        group_(shape.num_heads / shape.num_kv_heads) {}

  const GemmKernel& kernel() const { return kernel_; }
  int64_t E() const { return shape_.head_size; }
  float scale() const { return static_cast<float>(shape_.scale); }

  /// Of products over the elements of a head, Q·Kᵀ and dO·Vᵀ, whose operands are as they are
  /// stored: pairs of bfloat16 are multiplied exactly, and summed up in float32. Its tiles have the
  /// extents of the other's.
  const GemmKernel& dot_kernel() const { return dot_kernel_; }
  int64_t dot_units() const { return units_of(dot_kernel_, E()); }

  /// Of scores as powers of two; 0 where there is none.
  float cap() const { return static_cast<float>(shape_.cap) * kLog2E; }
  int64_t num_rows() const { return part_.num_queries * group_; }
  int64_t num_keys() const { return part_.num_keys; }

  int64_t tile_floats() const { return kernel_.rows * kernel_.cols; }
  int64_t tiles_of(int64_t rows) const { return round_up(rows, kernel_.rows) / kernel_.rows; }
  int64_t panels_of(int64_t cols) const { return round_up(cols, kernel_.cols) / kernel_.cols; }

  /// Elements of row `r`'s head in its row of the pass, and of keys or values at key `n`.
  template <typename T>
  T* query(const Tensor& x, int64_t r) const {
    return x.row<T>(pass_row(r)) + query_head(r) * E();
  }
  template <typename T>
  T* key(const Tensor& x, int64_t n) const {
    return x.row<T>(part_.key_begin + n) + head_ * E();
  }
  float& of_query_head(const Tensor& x_NH, int64_t r) const {
    return x_NH.row<float>(pass_row(r))[query_head(r)];
  }

  /// Turns Q·Kᵀ into scores, scaled and capped: `chunks` chunks of `cols`, `stride` floats apart.
  void scale_scores(int64_t chunks, int64_t cols, int64_t stride, float* scores) const;

  /// Keys that row `r` sees: [first_visible(r), visible(r)).
  int64_t visible(int64_t r) const;
  int64_t first_visible(int64_t r) const;

  /// Panels behind key `first`, of at most `count`, up to the last that some row of the tile from
  /// row `begin` on sees.
  int64_t visible_panels(int64_t begin, int64_t first, int64_t count) const;

  /// Sets the scores of keys that row `r` does not see, in `panels` panels from key `first` on,
  /// `stride` floats apart.
  void hide(int64_t r, int64_t first, int64_t panels, int64_t stride, float* scores) const;

  /// The first row of [begin, end) that sees a key from `key` on; at most the last of them.
  int64_t first_row(int64_t key, int64_t begin, int64_t end) const;

  /// Keys as columns of a weight, [panel, unit of E, cols]: the operand of Q·Kᵀ and dO·Vᵀ. By all
  /// threads.
  const float* pack_keys_as_columns(const Tensor& x, Scratch& packed) const;

  /// Keys as units of a weight, [panel of E, key, cols]: the operand of P·V and dS·K. By all
  /// threads.
  const float* pack_keys_as_units(const Tensor& x, Scratch& packed) const;

  /// Rows [begin, end) of x and zeros up to a whole tile, as [chunk of E's units, kernel rows,
  /// cols]: the operand of Q·Kᵀ and dO·Vᵀ.
  void pack_tile(const Tensor& x, int64_t begin, int64_t end, float* packed) const;
  int64_t packed_tile_floats() const { return panels_of(E()) * tile_floats(); }

  /// Rows [begin, end) of x, times `factor`, turned over, as [tile of E, chunk of rows, kernel
  /// rows, cols]: the left operand of Qᵀ·dS and dOᵀ·P. By all threads.
  const float* pack_turned(
      const Tensor& x, int64_t begin, int64_t end, float factor, Scratch& packed) const;

 private:
  int64_t pass_row(int64_t r) const { return part_.query_begin + r / group_; }
  int64_t query_head(int64_t r) const { return head_ * group_ + r % group_; }
  void turn_chunk(
      const Tensor& x, int64_t begin, int64_t end, float factor, int64_t stride, float* tile) const;

  const GemmKernel& kernel_;
  const GemmKernel& dot_kernel_;
  const AttentionShape& shape_;
  Part part_;
  int64_t head_;
  int64_t group_;
};

}  // namespace prescript::cpu
