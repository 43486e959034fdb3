#include "card_bench.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace prescript::bench {
namespace {

constexpr int kRuns = 9;
constexpr double kRunSeconds = 4e-3;
constexpr double kWarmUpSeconds = 30e-3;

}  // namespace

Extents Extents::small() {
  Extents small;
  small.rows = 12;
  small.hidden = 128;
  small.feed_forward = 192;
  small.vocabulary = 512;
  small.targets = 8;
  small.heads = 4;
  small.kv_heads = 2;
  small.head_size = 128;  // 64 and 256 follow from it: kernels of their own
  small.product = 64;
  small.copied = 1 << 12;
  small.causal_rows = 40;
  small.shared_rows = 24;
  small.leaves = 3;
  small.leaf_rows = 10;
  small.layers = 2;
  small.is_small = true;
  return small;
}

CardBench::CardBench(const Extents& extents, const std::string& json, std::FILE* output)
    : extents_(extents), output_(output) {
  auto device = open_card();
  device_ = device.get();
  ops_ = cuda::make_ops(std::move(device));
  timer_ = std::make_unique<CardTimer>(stream());
  if (json.empty()) return;
  json_ = std::fopen(json.c_str(), "ae");
  if (json_ == nullptr) throw InputError(ExitCode::kUsage, json + " cannot be written");
}

CardBench::~CardBench() {
  if (json_ != nullptr) std::fclose(json_);
}

void* CardBench::take(size_t bytes) {
  blocks_.push_back(device_->allocate(bytes));
  return blocks_.back().get();
}

Tensor CardBench::tensor(int64_t rows, int64_t cols, DType dtype, float deviation) {
  const Tensor x{take(static_cast<size_t>(rows * cols) * size_of(dtype)), dtype, rows, cols, cols};
  cuda::fill_normal(x, ++num_filled_, deviation, stream());
  return x;
}

Weight CardBench::weight(int64_t rows, int64_t cols, DType dtype, float deviation) {
  Weight weight{nullptr, dtype, rows, cols};
  weight.data = take(weight.bytes());
  // All that a layout may read.
  const auto elements = static_cast<int64_t>(weight.bytes() / size_of(dtype));
  cuda::fill_normal({weight.data, dtype, rows, elements / rows, elements / rows},
                    ++num_filled_,
                    deviation,
                    stream());
  return weight;
}

void CardBench::measure(Measurement measurement, const std::function<void(size_t)>& work) {
  size_t turn = 0;
  const auto run = [&](size_t turns) {
    timer_->start();
    for (size_t i = 0; i < turns; ++i) work(turn++);
    return timer_->stop() / static_cast<double>(turns);
  };
  run(1);  // loads the kernels
  if (extents_.is_small) {
    measurement.seconds = measurement.fastest = measurement.slowest = run(1);
    return report(measurement);
  }
  const double once = std::max(run(kSets), 1e-6);
  const auto turns_in = [once](double seconds) {
    return std::max<size_t>(1, static_cast<size_t>(seconds / once));
  };
  run(turns_in(kWarmUpSeconds));
  std::vector<double> seconds;
  for (int i = 0; i < kRuns; ++i) seconds.push_back(run(turns_in(kRunSeconds)));
  std::ranges::sort(seconds);
  measurement.seconds = seconds[kRuns / 2];
  measurement.fastest = seconds.front();
  measurement.slowest = seconds.back();
  report(measurement);
}

void CardBench::report(const Measurement& measurement) {
  std::fprintf(output_,
               "%-9s %-32s %-44s %12.1f us",
               measurement.group.c_str(),
               measurement.name.c_str(),
               measurement.shape.c_str(),
               1e6 * measurement.seconds);
  if (measurement.flops > 0) {
    std::fprintf(output_, " %8.1f TFLOP/s", 1e-12 * measurement.flops / measurement.seconds);
  }
  if (measurement.bytes > 0) {
    std::fprintf(output_, " %8.0f GB/s", 1e-9 * measurement.bytes / measurement.seconds);
  }
  for (const auto& [key, value] : measurement.more)
    std::fprintf(output_, "  %s %.6g", key.c_str(), value);
  std::fputs("\n", output_);
  std::fflush(output_);
  if (json_ == nullptr) return;
  nlohmann::ordered_json line = {{"group", measurement.group},
                                 {"name", measurement.name},
                                 {"shape", measurement.shape},
                                 {"seconds", measurement.seconds},
                                 {"fastest", measurement.fastest},
                                 {"slowest", measurement.slowest},
                                 {"bytes", measurement.bytes},
                                 {"flops", measurement.flops}};
  for (const auto& [key, value] : measurement.more) line[key] = value;
  std::fprintf(json_, "%s\n", line.dump().c_str());
  std::fflush(json_);
}

void CardBench::report_failure(const std::string& group,
                               const std::string& name,
                               const std::string& why) {
  std::fprintf(stderr, "%s %s: %s\n", group.c_str(), name.c_str(), why.c_str());
  if (json_ == nullptr) return;
  const nlohmann::ordered_json line = {{"group", group}, {"name", name}, {"failed", why}};
  std::fprintf(json_, "%s\n", line.dump().c_str());
  std::fflush(json_);
}

void measure_ceilings(CardBench& bench) {
  const int64_t bytes = bench.extents().copied;
  std::vector<Tensor> sets;
  for (size_t i = 0; i < CardBench::kSets + 1; ++i) {
    sets.push_back(bench.tensor(1, bytes / 4, DType::kFloat32));
  }
  bench.measure({.group = "ceiling",
                 .name = "copy",
                 .shape = "bytes " + std::to_string(bytes),
                 .bytes = 2.0 * static_cast<double>(bytes)},
                [&](size_t turn) {
                  copy_on_card(sets[turn % CardBench::kSets].data,
                               sets[CardBench::kSets].data,
                               static_cast<size_t>(bytes),
                               bench.stream());
                });
  bench.forget();
  for (const DType dtype : {DType::kBFloat16, DType::kFloat32}) {
    const int64_t side =
        dtype == DType::kBFloat16 ? bench.extents().product : bench.extents().product / 2;
    const Tensor x = bench.tensor(side, side, dtype);
    const Tensor y = bench.tensor(side, side, dtype);
    const Weight weight = bench.weight(side, side, dtype, 0.02F);
    const std::string shape = std::to_string(side) + " cubed, " + name_of(dtype);
    const double flops = 2.0 * static_cast<double>(side) * static_cast<double>(side * side);
    bench.measure({.group = "ceiling", .name = "product", .shape = shape, .flops = flops},
                  [&](size_t) { bench.ops().linear(x, weight, y, false); });
    bench.measure(
        {.group = "ceiling", .name = "product_input_gradient", .shape = shape, .flops = flops},
        [&](size_t) { bench.ops().linear_input_gradient(x, weight, y); });
    bench.forget();
  }
}

}  // namespace prescript::bench
