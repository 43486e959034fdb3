#include "ops/cpu_weight.h"

#include <algorithm>

#include "ops/aligned.h"
#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_pack.h"
#include "ops/cpu_parallel.h"

namespace prescript::cpu {
namespace {

int64_t pitch_of(const GemmKernel& kernel, const Weight& weight) {
  return weight.row_size() / elements_of_unit(kernel);
}

PRESCRIPT_AVX2 void narrow(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = rounded(from[i]);
}

/// Where the rows of a panel are on their way into the layout.
struct PanelScratch {
  Scratch rows;
  Scratch narrow_rows;
  Scratch packed;
};

/// Rows [row, row + x.rows) of the weight, which are a panel: x, in float32.
void lay_out_panel(const GemmKernel& kernel,
                   const Tensor& x,
                   int64_t row,
                   const Weight& weight,
                   PanelScratch& scratch) {
  const int64_t units = units_of(kernel, weight.cols);
  const int64_t size = units * kernel.cols;
  void* const panel = static_cast<std::byte*>(weight.data) +
                      static_cast<size_t>(row * weight.row_size()) * size_of(weight.dtype);
  if (weight.dtype == DType::kFloat32) {
    pack_right(kernel, {x, 0, x.rows, 0, units}, static_cast<uint32_t*>(panel));
  } else if (kernel.takes_pairs) {
    Tensor pairs = x;
    pairs.dtype = DType::kBFloat16;
    pairs.data = scratch.narrow_rows.take<uint16_t>(x.num_elements());
    narrow(x.row<float>(0), x.num_elements(), pairs.row<uint16_t>(0));
    pack_right(kernel, {pairs, 0, x.rows, 0, units}, static_cast<uint32_t*>(panel));
  } else {
    auto* const packed = scratch.packed.take<uint32_t>(size);
    pack_right(kernel, {x, 0, x.rows, 0, units}, packed);
    narrow(reinterpret_cast<const float*>(packed), size, static_cast<uint16_t*>(panel));
  }
}

/// Calls `body(c, unit)` for the columns c of a row and the stored units they lie in.
template <typename Unit, typename Body>
void for_units(const GemmKernel& kernel, const Weight& weight, int64_t row, const Body& body) {
  const Unit* const first = static_cast<const Unit*>(weight.data) +
                            row / kernel.cols * pitch_of(kernel, weight) * kernel.cols +
                            row % kernel.cols;
  for (int64_t c = 0; c < weight.cols; ++c) {
    body(c, first[c / elements_of_unit(kernel) * kernel.cols]);
  }
}

PRESCRIPT_AVX2 void widen(const uint16_t* from, int64_t count, uint32_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = uint32_t{from[i]} << 16;
}

}  // namespace

void lay_out(const GemmKernel& kernel, const ReadRows& read, const Weight& weight) {
  const int64_t num_panels = round_up(weight.rows, kernel.cols) / kernel.cols;
  for_each_item(num_panels, [&](int64_t panel) {
    thread_local PanelScratch scratch;
    const int64_t row = panel * kernel.cols;
    const int64_t num_rows = std::min(kernel.cols, weight.rows - row);
    auto* const rows = scratch.rows.take<float>(kernel.cols * weight.cols);
    read(row, num_rows, rows);
    const Tensor x{rows, DType::kFloat32, num_rows, weight.cols, weight.cols};
    lay_out_panel(kernel, x, row, weight, scratch);
  });
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
      pitch_(pitch_of(kernel, weight)),
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
  const auto* const first = static_cast<const std::byte*>(data_) + (panel * pitch_ + begin) * bytes;
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
      static_cast<const std::byte*>(data_) + (first * pitch_ + col / panels) * bytes;
  const int64_t present = std::min(num_cols, cols_ - col) / panels;
  return {data, num_panels, present * bytes, pitch_ * bytes, num_steps};
}

WeightPanels::LeftBlock WeightPanels::left_block(
    int64_t begin, int64_t count, int64_t col, int64_t num_cols, uint32_t* buffer) const {
  const int64_t first = begin / kernel_.cols;
  const int64_t chunks = round_up(count, kernel_.cols) / kernel_.cols;
  if (!is_widened_ && !kernel_.takes_pairs) {
    return {stored<uint32_t>(first, col), pitch_ * kernel_.cols};
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
PRESCRIPT_AVX2 void WeightPanels::pair_along_rows(int64_t chunk,
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
