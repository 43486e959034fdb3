// Every operation of the cpu backend at the extents of SmolLM2-135M: time, FLOP/s and their share
// of the processor's peak; where memory is what an operation waits for, bytes/s and their share of
// the fastest copy of a step's rows.
//
//   prescript_ops_benchmark [Google Benchmark's options]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "ops/ops.h"

namespace prescript {
namespace {

using Clock = std::chrono::steady_clock;

// Case B of scripts/bench: 256 shared rows, 16 leaves of 64.
constexpr int64_t kShared = 256;
constexpr int64_t kLeaves = 16;
constexpr int64_t kLeaf = 64;
constexpr int64_t kRows = kShared + kLeaves * kLeaf;
constexpr int64_t kHidden = 576;
constexpr int64_t kHeads = 9;
constexpr int64_t kKvHeads = 3;
constexpr int64_t kHeadSize = 64;
constexpr int64_t kFeedForward = 1536;
constexpr int64_t kVocabulary = 49152;
constexpr int64_t kTargets = 128;

/// A backend and its tensors, filled with small numbers.
class Bench {
 public:
  explicit Bench(DType dtype) : dtype_(dtype), ops_(make_cpu_ops(default_num_threads())) {}

  Ops& ops() { return *ops_; }

  Tensor tensor(int64_t rows, int64_t cols, DType dtype) {
    blocks_.push_back(ops_->allocate(static_cast<size_t>(rows * cols) * size_of(dtype)));
    const Tensor x{blocks_.back().get(), dtype, rows, cols, cols};
    ops_->zero(x);
    if (dtype == DType::kFloat64) return x;
    std::vector<float> values(static_cast<size_t>(rows * cols));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 16 - 0.5F;
    ops_->upload(values.data(), x);
    return x;
  }
  Tensor tensor(int64_t rows, int64_t cols) { return tensor(rows, cols, dtype_); }
  Tensor sums(int64_t rows, int64_t cols) { return tensor(rows, cols, ops_->accumulate_dtype()); }

  Weight weight(int64_t rows, int64_t cols) {
    Weight weight{nullptr, dtype_, rows, cols};
    blocks_.push_back(ops_->allocate(weight.bytes()));
    weight.data = blocks_.back().get();
    ops_->lay_out(
        [cols](int64_t /*begin*/, int64_t count, float* values) {
          std::fill_n(values, count * cols, 0.01F);
        },
        weight);
    return weight;
  }

 private:
  DType dtype_;
  std::unique_ptr<Ops> ops_;
  std::vector<Buffer> blocks_;
};

double peak(DType dtype) {
  static const double fp32 = measure_cpu_peak(DType::kFloat32, 1);
  static const double bf16 = measure_cpu_peak(DType::kBFloat16, 1);
  return dtype == DType::kFloat32 ? fp32 : bf16;
}

/// Bytes/s of the fastest copy within a second of rows as a step has them, read and written.
double copy_peak() {
  static const double fastest = [] {
    Bench bench(DType::kFloat32);
    const Tensor x = bench.tensor(kRows, kHidden);
    const Tensor y = bench.tensor(kRows, kHidden);
    const double bytes = 2.0 * kRows * kHidden * sizeof(float);
    double result = 0;
    for (const auto end = Clock::now() + std::chrono::seconds(1); Clock::now() < end;) {
      const auto begin = Clock::now();
      bench.ops().copy(x, y);
      const std::chrono::duration<double> seconds = Clock::now() - begin;
      result = std::max(result, bytes / seconds.count());
    }
    return result;
  }();
  return fastest;
}

using Operation = std::function<void()>;
/// Makes the tensors of a case and returns what is timed.
using Make = std::function<Operation(Bench&)>;

void run(benchmark::State& state, DType dtype, const Make& make, double flops, double bytes) {
  Bench bench(dtype);
  const Operation operation = make(bench);
  const auto begin = Clock::now();
  for (auto turn : state) {
    (void)turn;
    operation();
  }
  const std::chrono::duration<double> seconds = Clock::now() - begin;
  const double turns_per_second = static_cast<double>(state.iterations()) / seconds.count();
  if (flops > 0) {
    state.counters["FLOP/s"] = flops * turns_per_second;
    state.counters["of_peak"] = flops * turns_per_second / peak(dtype);
  } else {
    state.counters["B/s"] = bytes * turns_per_second;
    state.counters["of_peak"] = bytes * turns_per_second / copy_peak();
  }
}

void add(const std::string& name, const Make& make, double flops, double elements = 0) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const double bytes = elements * static_cast<double>(size_of(dtype));
    benchmark::RegisterBenchmark(
        (name + "/" + name_of(dtype)).c_str(),
        [=](benchmark::State& state) { run(state, dtype, make, flops, bytes); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void add_linear(const std::string& name, int64_t rows, int64_t cols, int64_t weight_rows) {
  const double flops = 2.0 * static_cast<double>(rows * cols * weight_rows);
  add(
      "linear/" + name,
      [=](Bench& bench) {
        const Tensor x = bench.tensor(rows, cols);
        const Tensor y = bench.tensor(rows, weight_rows);
        const Weight weight = bench.weight(weight_rows, cols);
        return [=, &bench] { bench.ops().linear(x, weight, y, false); };
      },
      flops);
  add(
      "linear_input_gradient/" + name,
      [=](Bench& bench) {
        const Tensor dx = bench.tensor(rows, cols);
        const Tensor dy = bench.tensor(rows, weight_rows);
        const Weight weight = bench.weight(weight_rows, cols);
        return [=, &bench] { bench.ops().linear_input_gradient(dy, weight, dx); };
      },
      flops);
}

void add_lay_out() {
  add(
      "lay_out",
      [](Bench& bench) {
        const Weight weight = bench.weight(2 * kFeedForward, kHidden);
        return [=, &bench, numbers = std::vector<float>(2 * kFeedForward * kHidden, 0.01F)] {
          bench.ops().lay_out(
              [&](int64_t begin, int64_t count, float* rows) {
                std::copy_n(numbers.data() + begin * kHidden, count * kHidden, rows);
              },
              weight);
        };
      },
      0,
      2.0 * 2 * kFeedForward * kHidden);
}

/// Shared rows among themselves, leaves of as many rows each, and all leaves against the shared.
struct Forest {
  int64_t shared = 0;
  int64_t leaves = 0;
  int64_t leaf = 0;

  int64_t rows() const { return shared + leaves * leaf; }

  /// Query-key pairs of parts().
  double pairs() const {
    return static_cast<double>(shared * (shared + 1) / 2 + shared * (rows() - shared) +
                               leaves * leaf * (leaf + 1) / 2);
  }

  std::vector<Part> parts() const {
    std::vector<Part> parts;
    const auto part =
        [](int64_t query, int64_t queries, int64_t key, int64_t keys, bool is_causal) {
          Part result;
          result.query_begin = static_cast<int32_t>(query);
          result.num_queries = static_cast<int32_t>(queries);
          result.key_begin = static_cast<int32_t>(key);
          result.num_keys = static_cast<int32_t>(keys);
          result.causal_offset = is_causal ? 0 : Part::kNoMask;
          return result;
        };
    parts.push_back(part(0, shared, 0, shared, true));
    parts.push_back(part(shared, rows() - shared, 0, shared, false));
    for (int64_t begin = shared; begin < rows(); begin += leaf) {
      parts.push_back(part(begin, leaf, begin, leaf, true));
    }
    return parts;
  }
};

void add_attention(const std::string& name, const Forest& forest) {
  const AttentionShape shape{kHeads, kKvHeads, kHeadSize, 1 / std::sqrt(1.0 * kHeadSize)};
  add(
      "attention/" + name,
      [=](Bench& bench) {
        const Tensor q = bench.tensor(forest.rows(), kHeads * kHeadSize);
        const KeyValues kv{bench.tensor(forest.rows(), kKvHeads * kHeadSize),
                           bench.tensor(forest.rows(), kKvHeads * kHeadSize)};
        const Tensor out = bench.tensor(forest.rows(), kHeads * kHeadSize);
        const Tensor lse = bench.sums(forest.rows(), kHeads);
        return [=, &bench, parts = forest.parts()] {
          bench.ops().attention(shape, parts, q, std::span(&kv, 1), out, lse);
        };
      },
      4 * kHeads * kHeadSize * forest.pairs());
  add(
      "attention_input_gradient/" + name,
      [=](Bench& bench) {
        const Tensor q = bench.tensor(forest.rows(), kHeads * kHeadSize);
        const KeyValues kv{bench.tensor(forest.rows(), kKvHeads * kHeadSize),
                           bench.tensor(forest.rows(), kKvHeads * kHeadSize)};
        const Tensor out = bench.tensor(forest.rows(), kHeads * kHeadSize);
        const Tensor lse = bench.sums(forest.rows(), kHeads);
        bench.ops().attention(shape, forest.parts(), q, std::span(&kv, 1), out, lse);
        const Tensor dout = bench.tensor(forest.rows(), kHeads * kHeadSize);
        const Tensor dq = bench.sums(forest.rows(), kHeads * kHeadSize);
        const DType wide = bench.ops().kv_gradient_dtype();
        const KeyValues gradient{bench.tensor(forest.rows(), kKvHeads * kHeadSize, wide),
                                 bench.tensor(forest.rows(), kKvHeads * kHeadSize, wide)};
        return [=, &bench, parts = forest.parts()] {
          bench.ops().attention_input_gradient(
              shape, parts, q, std::span(&kv, 1), out, lse, dout, dq, std::span(&gradient, 1));
        };
      },
      10 * kHeads * kHeadSize * forest.pairs());
}

void add_rows() {
  constexpr double kElements = 1.0 * kRows * kHidden;
  const std::vector<int32_t> indices = [] {
    std::vector<int32_t> result;
    for (int32_t i = 0; i < kRows; ++i) result.push_back(i);
    return result;
  }();
  add(
      "copy",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        return [=, &bench] { bench.ops().copy(x, y); };
      },
      0,
      2 * kElements);
  add(
      "upload",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        return [=, &bench, from = std::vector<float>(kRows * kHidden)] {
          bench.ops().upload(from.data(), x);
        };
      },
      0,
      2 * kElements);
  add(
      "download",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        return [=, &bench, to = std::vector<float>(kRows * kHidden)]() mutable {
          bench.ops().download(x, to.data());
        };
      },
      0,
      2 * kElements);
  add(
      "zero",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        return [=, &bench] { bench.ops().zero(x); };
      },
      0,
      kElements);
  add(
      "embed",
      [](Bench& bench) {
        const Weight embedding = bench.weight(kVocabulary, kHidden);
        const Tensor x = bench.tensor(kRows, kHidden);
        std::vector<Row> rows;
        for (int32_t i = 0; i < kRows; ++i) rows.push_back(Row::token(i * 31));
        return [=, &bench] { bench.ops().embed(embedding, 1, {}, rows, x); };
      },
      0,
      2 * kElements);
  add(
      "embed_input_gradient",
      [](Bench& bench) {
        const Tensor dx = bench.tensor(kRows, kHidden);
        const Tensor gradient = bench.sums(20, kHidden);
        std::vector<Row> rows;
        for (int32_t i = 0; i < kRows; ++i) {
          rows.push_back(i < 20 ? Row::virtual_token(0, i) : Row::token(i));
        }
        return [=, &bench] { bench.ops().embed_input_gradient(dx, rows, std::span(&gradient, 1)); };
      },
      0,
      3.0 * 20 * kHidden);
  add(
      "gather_rows",
      [=](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        return [=, &bench] { bench.ops().gather_rows(x, indices, y); };
      },
      0,
      2 * kElements);
  add(
      "scatter_add_rows",
      [=](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        return [=, &bench] { bench.ops().scatter_add_rows(x, indices, y); };
      },
      0,
      3 * kElements);
  add(
      "add_row",
      [](Bench& bench) {
        const Tensor row = bench.sums(1, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        return [=, &bench] { bench.ops().add_row(row, y); };
      },
      0,
      2 * kElements);
  add(
      "layer_norm",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor weight = bench.sums(1, kHidden);
        const Tensor bias = bench.sums(1, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        const Tensor statistics = bench.sums(2, kRows);
        return [=, &bench] { bench.ops().layer_norm(x, weight, bias, 1e-5, y, statistics); };
      },
      0,
      2 * kElements);
  add(
      "layer_norm_input_gradient",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor weight = bench.sums(1, kHidden);
        const Tensor dy = bench.tensor(kRows, kHidden);
        const Tensor dx = bench.tensor(kRows, kHidden);
        const Tensor statistics = bench.sums(2, kRows);
        return
            [=, &bench] { bench.ops().layer_norm_input_gradient(x, weight, statistics, dy, dx); };
      },
      0,
      4 * kElements);
  add(
      "rms_norm",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor weight = bench.sums(1, kHidden);
        const Tensor y = bench.tensor(kRows, kHidden);
        const Tensor rstd = bench.sums(1, kRows);
        return [=, &bench] { bench.ops().rms_norm(x, weight, 1e-5, y, rstd); };
      },
      0,
      2 * kElements);
  add(
      "rms_norm_input_gradient",
      [](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor weight = bench.sums(1, kHidden);
        const Tensor dy = bench.tensor(kRows, kHidden);
        const Tensor dx = bench.tensor(kRows, kHidden);
        const Tensor rstd = bench.sums(1, kRows);
        return [=, &bench] { bench.ops().rms_norm_input_gradient(x, weight, rstd, dy, dx); };
      },
      0,
      4 * kElements);
  add(
      "rotary",
      [=](Bench& bench) {
        const Tensor x = bench.tensor(kRows, kHidden);
        const Tensor cos = bench.sums(kRows, kHeadSize / 2);
        const Tensor sin = bench.sums(kRows, kHeadSize / 2);
        return [=, &bench] { bench.ops().rotary(x, kHeadSize, indices, cos, sin, false); };
      },
      0,
      2 * kElements);
}

/// `gated`: of as many columns again, whose product with f is what is left.
void add_activation(const std::string& name, Activation f, bool gated) {
  constexpr double kElements = 1.0 * kRows * kFeedForward;
  const int64_t cols = gated ? 2 * kFeedForward : kFeedForward;
  add(
      name,
      [=](Bench& bench) {
        const Tensor x = bench.tensor(kRows, cols);
        const Tensor h = bench.tensor(kRows, kFeedForward);
        return [=, &bench] { bench.ops().activate(f, x, h); };
      },
      0,
      (gated ? 3 : 2) * kElements);
  add(
      name + "_input_gradient",
      [=](Bench& bench) {
        const Tensor x = bench.tensor(kRows, cols);
        const Tensor dh = bench.tensor(kRows, kFeedForward);
        const Tensor dx = bench.tensor(kRows, cols);
        return [=, &bench] { bench.ops().activate_input_gradient(f, x, dh, dx); };
      },
      0,
      (gated ? 5 : 3) * kElements);
}

void add_head() {
  add(
      "cross_entropy",
      [](Bench& bench) {
        const Tensor hidden = bench.tensor(kTargets, kHidden);
        const Tensor dhidden = bench.tensor(kTargets, kHidden);
        const Weight head = bench.weight(kVocabulary, kHidden);
        const Tensor log_probs = bench.sums(1, kTargets);
        const std::vector<int32_t> ids(kTargets, 7);
        const std::vector<float> weights(kTargets, 0.01F);
        return [=, &bench] {
          bench.ops().cross_entropy(hidden, head, 0, ids, weights, log_probs, dhidden);
        };
      },
      4.0 * kTargets * kHidden * kVocabulary);
  add(
      "logits",
      [](Bench& bench) {
        const Tensor hidden = bench.tensor(kLeaves, kHidden);
        const Weight head = bench.weight(kVocabulary, kHidden);
        const Tensor logits = bench.sums(kLeaves, kVocabulary);
        return [=, &bench] { bench.ops().logits(hidden, head, 0, logits); };
      },
      2.0 * kLeaves * kHidden * kVocabulary);
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  using namespace prescript;
  add_linear("qkv", kRows, kHidden, (kHeads + 2 * kKvHeads) * kHeadSize);
  add_linear("output", kRows, kHeads * kHeadSize, kHidden);
  add_linear("gate_up", kRows, kHidden, 2 * kFeedForward);
  add_linear("down", kRows, kFeedForward, kHidden);
  add_linear("gate_up_of_16_rows", kLeaves, kHidden, 2 * kFeedForward);
  add_attention("short_prompt", {kShared, kLeaves, kLeaf});
  add_attention("long_prompt", {1024, kLeaves, 100});  // case C
  add_lay_out();
  add_rows();
  add_activation("swiglu", Activation::kSilu, true);
  add_activation("geglu_tanh", Activation::kGeluTanh, true);
  add_activation("gelu", Activation::kGelu, false);
  add_head();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
