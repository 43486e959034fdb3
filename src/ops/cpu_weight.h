#pragma once
// How the cpu backend lays out frozen weights: once, for both products. W [O, I] lies as panels of
// `kernel cols` of its rows, each [unit of I, row of the panel], zeros behind the last row.
//   y = x·Wᵀ   a panel is the right operand of a tile as it lies.
//   dx = dy·W  computed as dxᵀ = Wᵀ·dyᵀ: panels are the chunks of the left operand as they lie, the
//              columns of W its rows.
// Stored bfloat16 is converted in blocks on the way: widened where the kernel takes float32, and
// for dx paired along O where it takes pairs.

#include "ops/cpu_kernels.h"
#include "ops/ops.h"

namespace prescript::cpu {

/// Reads the weight a panel at a time; threads share the panels.
void lay_out(const GemmKernel& kernel, const ReadRows& read, const Weight& weight);

/// x [1, I] = row `row`, in the weight's dtype.
void copy_row(const GemmKernel& kernel, const Weight& weight, int64_t row, Tensor x);

/// Memory that will be read next, asked for in small steps while products run: the processor by
/// itself looks no further than a page.
class Ahead {
 public:
  /// Nothing.
  Ahead() = default;
  /// `num_runs` runs of `run_bytes`, `stride` bytes apart, in `num_steps` steps.
  Ahead(const void* first, int64_t num_runs, int64_t run_bytes, int64_t stride, int64_t num_steps);

  void step() {
    for (int64_t i = 0; i < lines_of_step_ && run_ < num_runs_; ++i) {
      __builtin_prefetch(first_ + run_ * stride_ + offset_);
      offset_ += kLine;
      if (offset_ < run_bytes_) continue;
      offset_ = 0;
      ++run_;
    }
  }

 private:
  static constexpr int64_t kLine = 64;

  const std::byte* first_ = nullptr;
  int64_t num_runs_ = 0;
  int64_t run_bytes_ = 0;
  int64_t stride_ = 0;
  int64_t lines_of_step_ = 0;
  int64_t run_ = 0;
  int64_t offset_ = 0;
};

/// A laid out weight as operands.
class WeightPanels {
 public:
  WeightPanels(const GemmKernel& kernel, const Weight& weight);

  int64_t num_panels() const { return num_panels_; }
  int64_t units() const { return units_; }  // of a row

  /// Units [begin, begin + count) of a panel as a right operand [count, cols]; `buffer` has room
  /// for it.
  const uint32_t* right_block(int64_t panel, int64_t begin, int64_t count, uint32_t* buffer) const;

  /// What `right_block` will read.
  Ahead ahead_of_right(int64_t panel, int64_t begin, int64_t count, int64_t num_steps) const;

  struct LeftBlock {
    const uint32_t* data = nullptr;
    int64_t stride = 0;  // from chunk to chunk
  };
  /// Units [begin, begin + count) along O, whole chunks from the first on, of `num_cols` columns
  /// from `col` on, as a left operand [chunk, num_cols, cols]. Columns behind the last may hold
  /// anything. `buffer` has room for it.
  LeftBlock left_block(
      int64_t begin, int64_t count, int64_t col, int64_t num_cols, uint32_t* buffer) const;

  /// What `left_block` will read.
  Ahead ahead_of_left(
      int64_t begin, int64_t count, int64_t col, int64_t num_cols, int64_t num_steps) const;

 private:
  int64_t unit_bytes() const { return is_widened_ ? 2 : 4; }

  /// Units that lie at `unit` of a panel.
  template <typename T>
  const T* stored(int64_t panel, int64_t unit) const {
    return static_cast<const T*>(data_) + (panel * pitch_ + unit) * kernel_.cols;
  }
  void pair_along_rows(int64_t chunk, int64_t col, int64_t num_cols, uint32_t* to) const;

  const GemmKernel& kernel_;
  const void* data_;
  bool is_widened_;  // on the way
  int64_t cols_;     // of the weight
  int64_t units_;
  int64_t pitch_;  // units from panel to panel, for each of its rows
  int64_t num_panels_;
};

}  // namespace prescript::cpu
