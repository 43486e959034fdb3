#include "ops/cpu_attention_part.h"

#include <algorithm>

#include "ops/cpu_bfloat16.h"

namespace prescript::cpu {
namespace {

template <typename T>
void read(const T* from, int64_t count, float factor, float* to) {
  for (int64_t e = 0; e < count; ++e) to[e] = widened(from[e]) * factor;
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

void PartHead::read_query(const Tensor& x, int64_t r, float factor, float* to) const {
  if (x.dtype == DType::kFloat32) {
    read(query<float>(x, r), E(), factor, to);
  } else {
    read(query<uint16_t>(x, r), E(), factor, to);
  }
}

void PartHead::read_key(const Tensor& x, int64_t n, float* to) const {
  if (x.dtype == DType::kFloat32) {
    read(key<float>(x, n), E(), 1, to);
  } else {
    read(key<uint16_t>(x, n), E(), 1, to);
  }
}

int64_t PartHead::visible(int64_t r) const {
  if (part_.causal_offset == Part::kNoMask) return part_.num_keys;
  return std::min<int64_t>(part_.num_keys, part_.causal_offset + r / group_ + 1);
}

int64_t PartHead::visible_panels(int64_t begin) const {
  return panels_of(visible(std::min(begin + kernel_.rows, num_rows()) - 1));
}

int64_t PartHead::first_row(int64_t j, int64_t begin, int64_t end) const {
  if (part_.causal_offset == Part::kNoMask) return begin;
  const int64_t query = std::max<int64_t>(0, j * kernel_.cols - part_.causal_offset);
  return std::clamp(query * group_, begin, end - 1);
}

Floats PartHead::pack_keys_as_columns(const Tensor& x) const {
  const int64_t cols = kernel_.cols;
  Floats packed = allocate<float>(panels_of(num_keys()) * E() * cols);
  std::vector<float> row(static_cast<size_t>(E()));
  for (int64_t n = 0; n < panels_of(num_keys()) * cols; ++n) {
    if (n < num_keys()) {
      read_key(x, n, row.data());
    } else {
      std::fill(row.begin(), row.end(), 0.0F);
    }
    float* to = packed.get() + n / cols * E() * cols + n % cols;
    for (int64_t e = 0; e < E(); ++e) to[e * cols] = row[e];
  }
  return packed;
}

Floats PartHead::pack_keys_as_units(const Tensor& x) const {
  const int64_t cols = kernel_.cols;
  const int64_t panels = panels_of(E());
  Floats packed = allocate<float>(panels * num_keys() * cols);
  std::vector<float> row(static_cast<size_t>(panels * cols), 0.0F);
  for (int64_t n = 0; n < num_keys(); ++n) {
    read_key(x, n, row.data());
    for (int64_t c = 0; c < panels; ++c) {
      std::copy_n(row.data() + c * cols, cols, packed.get() + (c * num_keys() + n) * cols);
    }
  }
  return packed;
}

void PartHead::pack_tile(
    const Tensor& x, int64_t begin, int64_t end, float factor, float* packed) const {
  const int64_t cols = kernel_.cols;
  std::vector<float> row(static_cast<size_t>(panels_of(E()) * cols), 0.0F);
  for (int64_t i = 0; i < kernel_.rows; ++i) {
    if (begin + i < end) {
      read_query(x, begin + i, factor, row.data());
    } else {
      std::fill(row.begin(), row.end(), 0.0F);
    }
    for (int64_t c = 0; c < panels_of(E()); ++c) {
      std::copy_n(row.data() + c * cols, cols, packed + c * tile_floats() + i * cols);
    }
  }
}

Floats PartHead::pack_turned(const Tensor& x, int64_t begin, int64_t end, float factor) const {
  const int64_t cols = kernel_.cols;
  const int64_t chunks = panels_of(end - begin);
  const int64_t num_floats = tiles_of(E()) * chunks * tile_floats();
  Floats packed = allocate<float>(num_floats);
  std::fill_n(packed.get(), num_floats, 0.0F);
  std::vector<float> row(static_cast<size_t>(E()));
  for (int64_t r = begin; r < end; ++r) {
    read_query(x, r, factor, row.data());
    float* to = packed.get() + (r - begin) / cols * tile_floats() + (r - begin) % cols;
    for (int64_t e = 0; e < E(); ++e) {
      to[e / kernel_.rows * chunks * tile_floats() + e % kernel_.rows * cols] = row[e];
    }
  }
  return packed;
}

}  // namespace prescript::cpu
