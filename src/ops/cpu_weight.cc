#include "ops/cpu_weight.h"

#include <algorithm>

#include <ATen/Parallel.h>

#include "ops/aligned.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_pack.h"

namespace prescript::cpu {
namespace {

/// A float32 row as stored units.
struct RowUnits {
  const float* row;  // null behind the last
  int64_t cols;

  void store(int64_t unit, float& to) const { to = row != nullptr ? row[unit] : 0; }
  void store(int64_t unit, uint16_t& to) const { to = row != nullptr ? rounded(row[unit]) : 0; }
  void store(int64_t unit, uint32_t& to) const {  // a pair
    if (row == nullptr) {
      to = 0;
      return;
    }
    const uint32_t second = 2 * unit + 1 < cols ? rounded(row[2 * unit + 1]) : 0;
    to = uint32_t{rounded(row[2 * unit])} | second << 16;
  }
};

template <typename Unit>
void lay_out_units(const GemmKernel& kernel,
                   const float* rows,
                   int64_t begin,
                   int64_t num_rows,
                   const Weight& weight) {
  const int64_t units = units_of(kernel, weight.cols);
  const int64_t end = begin + num_rows;
  // Behind its last row a weight holds zeros.
  const int64_t padded_end = end == weight.rows ? round_up(end, kernel.cols) : end;
  const int64_t first_panel = begin / kernel.cols;
  const int64_t last_panel = round_up(end, kernel.cols) / kernel.cols;
  at::parallel_for(first_panel, last_panel, 1, [&](int64_t panel, int64_t panels_end) {
    for (; panel < panels_end; ++panel) {
      const int64_t from = std::max(begin, panel * kernel.cols);
      const int64_t to = std::min(padded_end, (panel + 1) * kernel.cols);
      Unit* const data = static_cast<Unit*>(weight.data) + panel * units * kernel.cols;
      for (int64_t u = 0; u < units; ++u) {
        for (int64_t r = from; r < to; ++r) {
          const RowUnits row{r < end ? rows + (r - begin) * weight.cols : nullptr, weight.cols};
          row.store(u, data[u * kernel.cols + r % kernel.cols]);
        }
      }
    }
  });
}

/// Calls `body(c, unit)` for the columns c of a row and the stored units they lie in.
template <typename Unit, typename Body>
void for_units(const GemmKernel& kernel, const Weight& weight, int64_t row, const Body& body) {
  const int64_t units = units_of(kernel, weight.cols);
  const Unit* const first = static_cast<const Unit*>(weight.data) +
                            row / kernel.cols * units * kernel.cols + row % kernel.cols;
  for (int64_t c = 0; c < weight.cols; ++c) {
    body(c, first[c / elements_of_unit(kernel) * kernel.cols]);
  }
}

PRESCRIPT_AVX2 void widen(const uint16_t* from, int64_t count, uint32_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = uint32_t{from[i]} << 16;
}

}  // namespace

void lay_out(const GemmKernel& kernel,
             const float* rows,
             int64_t begin,
             int64_t num_rows,
             const Weight& weight) {
  if (num_rows == 0) return;
  if (kernel.takes_pairs) {
    lay_out_units<uint32_t>(kernel, rows, begin, num_rows, weight);
  } else if (weight.dtype == DType::kBFloat16) {
    lay_out_units<uint16_t>(kernel, rows, begin, num_rows, weight);
  } else {
    lay_out_units<float>(kernel, rows, begin, num_rows, weight);
  }
}

void copy_row(const GemmKernel& kernel, const Weight& weight, int64_t row, Tensor x) {
  if (kernel.takes_pairs) {
    for_units<uint32_t>(kernel, weight, row, [&](int64_t c, uint32_t pair) {
      x.row<uint16_t>(0)[c] = static_cast<uint16_t>(c % 2 == 0 ? pair : pair >> 16);
    });
  } else if (weight.dtype == DType::kBFloat16) {
    for_units<uint16_t>(
        kernel, weight, row, [&](int64_t c, uint16_t value) { x.row<uint16_t>(0)[c] = value; });
  } else {
    for_units<float>(
        kernel, weight, row, [&](int64_t c, float value) { x.row<float>(0)[c] = value; });
  }
}

Ahead::Ahead(
    const void* first, int64_t num_runs, int64_t run_bytes, int64_t stride, int64_t num_steps)
    : first_(static_cast<const std::byte*>(first)),
      num_runs_(num_runs),
      run_bytes_(run_bytes),
      stride_(stride) {
  const int64_t lines = num_runs * (round_up(run_bytes, kLine) / kLine);
  lines_of_step_ = round_up(lines, num_steps) / num_steps;
}

WeightPanels::WeightPanels(const GemmKernel& kernel, const Weight& weight)
    : kernel_(kernel),
      data_(weight.data),
      is_widened_(weight.dtype == DType::kBFloat16 && !kernel.takes_pairs),
      cols_(weight.cols),
      units_(units_of(kernel, weight.cols)),
      num_panels_(round_up(weight.rows, kernel.cols) / kernel.cols) {}

const uint32_t* WeightPanels::right_block(int64_t panel,
                                          int64_t begin,
                                          int64_t count,
                                          uint32_t* buffer) const {
  if (!is_widened_) return stored<uint32_t>(panel, begin);
  widen(stored<uint16_t>(panel, begin), count * kernel_.cols, buffer);
  return buffer;
}

Ahead WeightPanels::ahead_of_right(int64_t panel,
                                   int64_t begin,
                                   int64_t count,
                                   int64_t num_steps) const {
  const int64_t bytes = kernel_.cols * unit_bytes();
  const auto* const first = static_cast<const std::byte*>(data_) + (panel * units_ + begin) * bytes;
  return {first, 1, count * bytes, 0, num_steps};
}

Ahead WeightPanels::ahead_of_left(
    int64_t begin, int64_t count, int64_t col, int64_t num_cols, int64_t num_steps) const {
  // Pairs are turned over from twice as many panels.
  const int64_t panels = kernel_.takes_pairs ? 2 : 1;
  const int64_t bytes = kernel_.cols * unit_bytes();
  const int64_t first = begin / kernel_.cols * panels;
  const int64_t num_panels =
      std::min(num_panels_ - first, round_up(count, kernel_.cols) / kernel_.cols * panels);
  const auto* const data =
      static_cast<const std::byte*>(data_) + (first * units_ + col / panels) * bytes;
  const int64_t present = std::min(num_cols, cols_ - col) / panels;
  return {data, num_panels, present * bytes, units_ * bytes, num_steps};
}

WeightPanels::LeftBlock WeightPanels::left_block(
    int64_t begin, int64_t count, int64_t col, int64_t num_cols, uint32_t* buffer) const {
  const int64_t first = begin / kernel_.cols;
  const int64_t chunks = round_up(count, kernel_.cols) / kernel_.cols;
  if (!is_widened_ && !kernel_.takes_pairs) {
    return {stored<uint32_t>(first, col), units_ * kernel_.cols};
  }
  const int64_t stride = num_cols * kernel_.cols;
  for (int64_t j = 0; j < chunks; ++j) {
    const int64_t present = std::min(num_cols, cols_ - col);
    if (is_widened_) {
      widen(stored<uint16_t>(first + j, col), present * kernel_.cols, buffer + j * stride);
    } else {
      pair_along_rows(first + j, col, present, buffer + j * stride);
    }
  }
  return {buffer, stride};
}

/// A chunk of pairs along O is two panels; each stored unit holds columns 2u and 2u + 1.
void WeightPanels::pair_along_rows(int64_t chunk,
                                   int64_t col,
                                   int64_t num_cols,
                                   uint32_t* to) const {
  const int64_t half = kernel_.cols / 2;
  for (int64_t side = 0; side < 2; ++side, to += half) {
    const int64_t panel = 2 * chunk + side;
    for (int64_t c = 0; c < num_cols; c += 2) {
      uint32_t* const even = to + c * kernel_.cols;
      uint32_t* const odd = even + kernel_.cols;
      if (panel >= num_panels_) {
        std::fill_n(even, half, 0);
        std::fill_n(odd, half, 0);
        continue;
      }
      const uint32_t* const units = stored<uint32_t>(panel, (col + c) / 2);
      for (int64_t k = 0; k < half; ++k) {
        const uint32_t first = units[2 * k];
        const uint32_t second = units[2 * k + 1];
        even[k] = (first & 0xFFFFU) | second << 16;
        odd[k] = first >> 16 | (second & 0xFFFF0000U);
      }
    }
  }
}

}  // namespace prescript::cpu
