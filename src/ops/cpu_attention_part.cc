#include "ops/cpu_attention_part.h"

#include <algorithm>

#include "ops/cpu_bfloat16.h"

namespace prescript::cpu {
namespace {

template <typename T>
void scaled(const T* x, int64_t count, float factor, float* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = widened(x[i]) * factor;
}

/// Elements [begin, begin + count) of a row of float32 or bfloat16.
void scaled(const Tensor& x, int64_t row, int64_t begin, int64_t count, float factor, float* y) {
  if (x.dtype == DType::kFloat32) {
    scaled(x.row<float>(row) + begin, count, factor, y);
  } else {
    scaled(x.row<uint16_t>(row) + begin, count, factor, y);
  }
}

/// x · factor and zeros up to a whole chunk of `cols`, chunks `stride` apart.
template <typename T>
void scale_into_chunks(
    const T* x, int64_t count, float factor, int64_t cols, int64_t stride, float* y) {
  for (; count >= cols; count -= cols, x += cols, y += stride) {
    for (int64_t i = 0; i < cols; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) y[i + k] = widened(x[i + k]) * factor;
    }
  }
  if (count == 0) return;
  for (int64_t i = 0; i < cols; ++i) y[i] = i < count ? widened(x[i]) * factor : 0;
}

template <typename T>
float dot_of(const T* x, const T* y, int64_t count) {
  float lanes[kLanes] = {};
  for (int64_t i = 0; i + kLanes <= count; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) lanes[k] += widened(x[i + k]) * widened(y[i + k]);
  }
  for (int64_t i = count / kLanes * kLanes; i < count; ++i) {
    lanes[i % kLanes] += widened(x[i]) * widened(y[i]);
  }
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

void add_product(const GemmKernel& kernel,
                 const float* x,
                 int64_t x_stride,
                 const float* weight,
                 int64_t units,
                 float* sums) {
  const auto units_of = [](const float* operand) {
    return reinterpret_cast<const uint32_t*>(operand);
  };
  for (int64_t u = 0; u < units; u += kTerms) {
    kernel.add_tile(units_of(x + u / kernel.cols * x_stride),
                    x_stride,
                    units_of(weight + u * kernel.cols),
                    std::min(kTerms, units - u),
                    sums);
  }
}

float PartHead::dot(const Tensor& x, const Tensor& y, int64_t r) const {
  if (x.dtype == DType::kFloat32) return dot_of(query<float>(x, r), query<float>(y, r), E());
  return dot_of(query<uint16_t>(x, r), query<uint16_t>(y, r), E());
}

int64_t PartHead::visible(int64_t r) const {
  if (part_.causal_offset == Part::kNoMask) return part_.num_keys;
  return std::min<int64_t>(part_.num_keys, part_.causal_offset + r / group_ + 1);
}

int64_t PartHead::visible_panels(int64_t begin) const {
  return panels_of(visible(std::min(begin + kernel_.rows, num_rows()) - 1));
}

void PartHead::hide(int64_t r, int64_t panels, int64_t stride, float* scores) const {
  const int64_t first = visible(r);
  for (int64_t j = first / kernel_.cols; j < panels; ++j) {
    const int64_t from = std::max<int64_t>(0, first - j * kernel_.cols);
    std::fill(scores + j * stride + from, scores + j * stride + kernel_.cols, kHidden);
  }
}

int64_t PartHead::first_row(int64_t j, int64_t begin, int64_t end) const {
  if (part_.causal_offset == Part::kNoMask) return begin;
  const int64_t query = std::max<int64_t>(0, j * kernel_.cols - part_.causal_offset);
  return std::clamp(query * group_, begin, end - 1);
}

const float* PartHead::pack_keys_as_columns(const Tensor& x, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  float* const columns = packed.take<float>(panels_of(num_keys()) * E() * cols);
  std::vector<float> row(static_cast<size_t>(E()));
  float* panel = columns;
  for (int64_t first = 0; first < num_keys(); first += cols, panel += E() * cols) {
    for (int64_t n = 0; n < cols; ++n) {
      if (first + n < num_keys()) {
        scaled(x, part_.key_begin + first + n, head_ * E(), E(), 1, row.data());
      } else {
        std::fill(row.begin(), row.end(), 0.0F);
      }
      for (int64_t e = 0; e < E(); ++e) panel[e * cols + n] = row[e];
    }
  }
  return columns;
}

const float* PartHead::pack_keys_as_units(const Tensor& x, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  float* const units = packed.take<float>(panels_of(E()) * num_keys() * cols);
  for (int64_t n = 0; n < num_keys(); ++n) {
    for (int64_t e = 0; e < E(); e += cols) {
      float* const to = units + e * num_keys() + n * cols;
      const int64_t count = std::min(cols, E() - e);
      scaled(x, part_.key_begin + n, head_ * E() + e, count, 1, to);
      std::fill(to + count, to + cols, 0.0F);
    }
  }
  return units;
}

void PartHead::pack_tile(
    const Tensor& x, int64_t begin, int64_t end, float factor, float* packed) const {
  for (int64_t i = 0; i < kernel_.rows; ++i) {
    float* const row = packed + i * kernel_.cols;
    if (begin + i >= end) {
      for (int64_t c = 0; c < panels_of(E()); ++c) {
        std::fill_n(row + c * tile_floats(), kernel_.cols, 0.0F);
      }
    } else if (x.dtype == DType::kFloat32) {
      scale_into_chunks(query<float>(x, begin + i), E(), factor, kernel_.cols, tile_floats(), row);
    } else {
      scale_into_chunks(
          query<uint16_t>(x, begin + i), E(), factor, kernel_.cols, tile_floats(), row);
    }
  }
}

const float* PartHead::pack_turned(
    const Tensor& x, int64_t begin, int64_t end, float factor, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  const int64_t chunks = panels_of(end - begin);
  const int64_t num_floats = tiles_of(E()) * chunks * tile_floats();
  float* const turned = packed.take<float>(num_floats);
  std::fill_n(turned, num_floats, 0.0F);
  std::vector<float> row(static_cast<size_t>(E()));
  for (int64_t r = begin; r < end; ++r) {
    scaled(x, pass_row(r), query_head(r) * E(), E(), factor, row.data());
    float* tile = turned + (r - begin) / cols * tile_floats() + (r - begin) % cols;
    for (int64_t e = 0; e < E(); e += kernel_.rows, tile += chunks * tile_floats()) {
      const int64_t count = std::min(kernel_.rows, E() - e);
      for (int64_t i = 0; i < count; ++i) tile[i * cols] = row[e + i];
    }
  }
  return turned;
}

}  // namespace prescript::cpu
