#include "train/peak.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace prescript {
namespace {

// Products grow until one takes this long: then its start weighs nothing.
constexpr double kEnoughSeconds = 0.001;
constexpr int64_t kFirstExtent = 512;
constexpr int64_t kMaxExtent = 8192;
constexpr int kProducts = 8;
constexpr int kTurns = 3;

/// The seconds of one of several products of matrices of `extent` rows and columns.
double seconds_of_product(Ops& ops, DType dtype, int64_t extent) {
  // So many are drawn, and come again and again at other places of a row.
  constexpr size_t kDrawn = 65521;
  RandomStream stream(1, "peak");
  std::vector<float> rows(static_cast<size_t>(extent * extent));
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i] = i < kDrawn ? static_cast<float>(stream.normal()) : rows[i - kDrawn];
  }
  Weight weight{nullptr, dtype, extent, extent};
  const auto matrix_bytes = static_cast<size_t>(extent * extent) * size_of(dtype);
  const Buffer weight_block = ops.allocate(weight.bytes());
  const Buffer x_block = ops.allocate(matrix_bytes);
  const Buffer y_block = ops.allocate(matrix_bytes);
  weight.data = weight_block.get();
  const Tensor x{x_block.get(), dtype, extent, extent, extent};
  const Tensor y{y_block.get(), dtype, extent, extent, extent};
  ops.upload(rows.data(), x);
  ops.lay_out(
      [&](int64_t begin, int64_t count, float* to) {
        std::copy_n(rows.data() + begin * extent, count * extent, to);
      },
      weight);
  const auto wait = [&] {
    float first = 0;
    ops.download(y.row_range(0, 1).col_range(0, 1), &first);
  };
  ops.linear(x, weight, y, false);
  wait();
  double best = INFINITY;
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kProducts; ++i) ops.linear(x, weight, y, false);
    wait();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    best = std::min(best, passed.count() / kProducts);
  }
  return best;
}

}  // namespace

double measure_peak(Ops& ops, DType dtype) {
  if (!ops.device_memory()) {
    constexpr double kSeconds = 0.1;
    return measure_cpu_peak(dtype, kSeconds);
  }
  double peak = 0;
  for (int64_t extent = kFirstExtent; extent <= kMaxExtent; extent *= 2) {
    const double seconds = seconds_of_product(ops, dtype, extent);
    const auto size = static_cast<double>(extent);
    peak = std::max(peak, 2 * size * size * size / seconds);
    if (seconds >= kEnoughSeconds) break;
  }
  return peak;
}

}  // namespace prescript
