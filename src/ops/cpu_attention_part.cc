#include "ops/cpu_attention_part.h"

#include "ops/cpu_bfloat16.h"
#include "ops/cpu_math.h"
#include "ops/cpu_parallel.h"

namespace prescript::cpu {
namespace {

/// Panels or chunks that a thread packs at a time.
constexpr int64_t kGrain = 4;

/// x · factor and zeros up to a whole chunk of `cols`, chunks `stride` apart.
template <typename T>
PRESCRIPT_WIDEST void scale_into_chunks(const T* __restrict x,
                                        int64_t count,
                                        float factor,
                                        int64_t cols,
                                        int64_t stride,
                                        float* __restrict y) {
  for (; count >= cols; count -= cols, x += cols, y += stride) {
    for (int64_t i = 0; i < cols; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) y[i + k] = widened(x[i + k]) * factor;
    }
  }
  if (count == 0) return;
  for (int64_t i = 0; i < cols; ++i) y[i] = i < count ? widened(x[i]) * factor : 0;
}

void scale_into_chunks(const Tensor& x,
                       int64_t row,
                       int64_t col,
                       int64_t count,
                       float factor,
                       int64_t cols,
                       int64_t stride,
                       float* y) {
  if (x.dtype == DType::kFloat32) {
    scale_into_chunks(x.row<float>(row) + col, count, factor, cols, stride, y);
  } else {
    scale_into_chunks(x.row<uint16_t>(row) + col, count, factor, cols, stride, y);
  }
}

/// x and zeros up to a whole chunk of `size` elements, chunks `stride` floats apart.
void copy_into_chunks(const uint16_t* x, int64_t count, int64_t size, int64_t stride, float* y) {
  for (; count > 0; count -= size, x += size, y += stride) {
    auto* const chunk = reinterpret_cast<uint16_t*>(y);
    const int64_t present = std::min(count, size);
    std::copy_n(x, present, chunk);
    std::fill(chunk + present, chunk + size, uint16_t{0});
  }
}

}  // namespace

void multiply(const GemmKernel& kernel,
              const float* x,
              int64_t x_stride,
              const float* weight,
              int64_t units,
              float* sums) {
  const auto units_of = [](const float* operand) {
    return reinterpret_cast<const uint32_t*>(operand);
  };
  for (int64_t u = 0; u < units; u += kTerms) {
    kernel.multiply(units_of(x + u / kernel.cols * x_stride),
                    x_stride,
                    units_of(weight + u * kernel.cols),
                    std::min(kTerms, units - u),
                    u > 0,
                    sums);
  }
}

PRESCRIPT_WIDEST void add_chunks(const GemmKernel& kernel,
                                 const float* __restrict x,
                                 int64_t x_stride,
                                 int64_t count,
                                 float keep,
                                 float factor,
                                 float* __restrict y) {
  const int64_t cols = kernel.cols;
  for (; count >= cols; count -= cols, x += x_stride, y += cols) {
    for (int64_t i = 0; i < cols; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) y[i + k] = y[i + k] * keep + x[i + k] * factor;
    }
  }
  for (int64_t i = 0; i < count; ++i) y[i] = y[i] * keep + x[i] * factor;
}

int64_t PartHead::visible(int64_t r) const {
  if (part_.causal_offset == Part::kNoMask) return part_.num_keys;
  return std::min<int64_t>(part_.num_keys, part_.causal_offset + r / group_ + 1);
}

int64_t PartHead::first_visible(int64_t r) const {
  if (part_.window_offset == Part::kNoWindow) return 0;
  return std::max<int64_t>(0, part_.window_offset + r / group_);
}

int64_t PartHead::visible_panels(int64_t begin, int64_t first, int64_t count) const {
  const int64_t last_row = std::min(begin + kernel_.rows, num_rows()) - 1;
  return std::clamp<int64_t>(panels_of(visible(last_row) - first), 0, count);
}

PRESCRIPT_WIDEST void PartHead::scale_scores(int64_t chunks,
                                             int64_t cols,
                                             int64_t stride,
                                             float* scores) const {
  const float to_power = scale() * kLog2E;
  for (int64_t j = 0; j < chunks; ++j) {
    float* const s = scores + j * stride;
    for (int64_t i = 0; i < cols; ++i) s[i] *= to_power;
    if (cap() == 0) continue;
    for (int64_t i = 0; i < cols; ++i) s[i] = capped(s[i], cap(), 1 / cap());
  }
}

void PartHead::hide(int64_t r, int64_t first, int64_t panels, int64_t stride, float* scores) const {
  const int64_t before = std::min(first_visible(r) - first, panels * kernel_.cols);
  for (int64_t i = 0; i < before; ++i) {
    scores[i / kernel_.cols * stride + i % kernel_.cols] = kHidden;
  }
  const int64_t seen = std::max<int64_t>(0, visible(r) - first);
  for (int64_t j = seen / kernel_.cols; j < panels; ++j) {
    const int64_t from = std::max<int64_t>(0, seen - j * kernel_.cols);
    std::fill(scores + j * stride + from, scores + j * stride + kernel_.cols, kHidden);
  }
}

int64_t PartHead::first_row(int64_t key, int64_t begin, int64_t end) const {
  if (part_.causal_offset == Part::kNoMask) return begin;
  const int64_t query = std::max<int64_t>(0, key - part_.causal_offset);
  return std::clamp(query * group_, begin, end - 1);
}

const float* PartHead::pack_keys_as_columns(const Tensor& x, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  const int64_t units = dot_units();
  float* const columns = packed.take<float>(panels_of(num_keys()) * units * cols);
  parallel_for(0, panels_of(num_keys()), kGrain, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * cols;
    pack_right(dot_kernel_,
               {.x = x.col_range(head_ * E(), E()),
                .row = part_.key_begin + first,
                .num_rows = std::min(end * cols, num_keys()) - first,
                .begin = 0,
                .num_units = units},
               reinterpret_cast<uint32_t*>(columns + first * units));
  });
  return columns;
}

const float* PartHead::pack_keys_as_units(const Tensor& x, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  float* const units = packed.take<float>(panels_of(E()) * num_keys() * cols);
  parallel_for(0, num_keys(), kGrain * cols, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      scale_into_chunks(
          x, part_.key_begin + n, head_ * E(), E(), 1, cols, num_keys() * cols, units + n * cols);
    }
  });
  return units;
}

void PartHead::pack_tile(const Tensor& x, int64_t begin, int64_t end, float* packed) const {
  for (int64_t i = 0; i < kernel_.rows; ++i) {
    const int64_t r = begin + i;
    float* const row = packed + i * kernel_.cols;
    if (r < end && dot_kernel_.takes_pairs) {
      copy_into_chunks(query<uint16_t>(x, r), E(), 2 * kernel_.cols, tile_floats(), row);
    } else if (r < end) {
      scale_into_chunks(
          x, pass_row(r), query_head(r) * E(), E(), 1, kernel_.cols, tile_floats(), row);
    } else {
      for (int64_t c = 0; c < panels_of(dot_units()); ++c) {
        std::fill_n(row + c * tile_floats(), kernel_.cols, 0.0F);
      }
    }
  }
}

const float* PartHead::pack_turned(
    const Tensor& x, int64_t begin, int64_t end, float factor, Scratch& packed) const {
  const int64_t cols = kernel_.cols;
  const int64_t chunks = panels_of(end - begin);
  float* const turned = packed.take<float>(tiles_of(E()) * chunks * tile_floats());
  parallel_for(0, chunks, kGrain, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      const int64_t row = begin + c * cols;
      turn_chunk(x,
                 row,
                 std::min(row + cols, end),
                 factor,
                 chunks * tile_floats(),
                 turned + c * tile_floats());
    }
  });
  return turned;
}

/// The chunk of rows [begin, end) of every tile of E, tiles `stride` floats apart.
void PartHead::turn_chunk(
    const Tensor& x, int64_t begin, int64_t end, float factor, int64_t stride, float* tile) const {
  const int64_t cols = kernel_.cols;
  const int64_t padded = round_up(E(), cols);
  thread_local Scratch scratch;
  float* const rows = scratch.take<float>(cols * padded);
  for (int64_t r = begin; r < end; ++r) {
    scale_into_chunks(
        x, pass_row(r), query_head(r) * E(), E(), factor, cols, cols, rows + (r - begin) * padded);
  }
  std::fill(rows + (end - begin) * padded, rows + cols * padded, 0.0F);
  for (int64_t e = 0; e < E(); e += kernel_.rows, tile += stride) {
    const int64_t count = std::min(kernel_.rows, E() - e);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t n = 0; n < cols; ++n) tile[i * cols + n] = rows[n * padded + e + i];
    }
    std::fill(tile + count * cols, tile + kernel_.rows * cols, 0.0F);
  }
}

}  // namespace prescript::cpu
