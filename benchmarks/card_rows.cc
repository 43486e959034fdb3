// The kernels that wait for memory, at the extents of an 8B model.

#include "card_bench.h"

namespace prescript::bench {
namespace {

constexpr size_t kSets = CardBench::kSets;
constexpr double kFloat = 4;
constexpr double kBfloat = 2;

/// As many tensors as there are sets.
std::vector<Tensor> tensors(CardBench& bench, int64_t rows, int64_t cols, DType dtype) {
  std::vector<Tensor> sets;
  for (size_t i = 0; i < kSets; ++i) sets.push_back(bench.tensor(rows, cols, dtype));
  return sets;
}

Measurement row(const std::string& name, const std::string& shape, double bytes) {
  return {.group = "rows", .name = name, .shape = shape, .bytes = bytes};
}

std::string extents(const char* first, int64_t rows, const char* second, int64_t cols) {
  return std::string(first) + " " + std::to_string(rows) + ", " + second + " " +
         std::to_string(cols) + ", bf16";
}

void measure_moves(CardBench& bench) {
  const int64_t N = bench.extents().rows;
  const int64_t D = bench.extents().hidden;
  const int64_t V = bench.extents().vocabulary;
  const std::string shape = extents("N", N, "D", D);
  const double elements = static_cast<double>(N * D);
  const cuda::Stream stream = bench.stream();
  const auto x = tensors(bench, N, D, DType::kBFloat16);
  const auto y = tensors(bench, N, D, DType::kBFloat16);
  const auto wide = tensors(bench, N, D, DType::kFloat32);
  const auto set = [](size_t turn) { return turn % kSets; };

  bench.measure(row("zero", shape, kBfloat * elements),
                [&](size_t turn) { cuda::zero(y[set(turn)], stream); });
  bench.measure(row("copy", shape, 2 * kBfloat * elements),
                [&](size_t turn) { cuda::copy(x[set(turn)], y[set(turn)], stream); });
  bench.measure(row("copy to float32", shape, (kBfloat + kFloat) * elements),
                [&](size_t turn) { cuda::copy(x[set(turn)], wide[set(turn)], stream); });
  bench.measure(row("fill_normal", shape, kBfloat * elements),
                [&](size_t turn) { cuda::fill_normal(y[set(turn)], turn, 1, stream); });

  const Tensor embedding = bench.tensor(V, D, DType::kBFloat16);
  std::vector<cuda::EmbeddedRow> tokens;
  std::vector<int32_t> backwards;
  std::vector<int32_t> order;
  std::vector<cuda::RowSum> sums;
  for (int64_t n = 0; n < N; ++n) {
    tokens.push_back({nullptr, n * 7919 % V});
    backwards.push_back(static_cast<int32_t>(N - 1 - n));
    order.push_back(static_cast<int32_t>(n));
  }
  // Two rows to each of N / 2 destinations.
  for (int32_t n = 0; n + 1 < N; n += 2) sums.push_back({y[0].row<uint16_t>(n), n, 2});
  const auto* embedded_rows = bench.array(tokens);
  const auto* indices = bench.array(backwards);
  const auto* ordered = bench.array(order);
  const auto* destinations = bench.array(sums);
  bench.measure(row("embed", shape, 2 * kBfloat * elements), [&](size_t turn) {
    cuda::embed(embedding, 1, embedded_rows, y[set(turn)], stream);
  });
  bench.measure(row("gather_rows", shape, 2 * kBfloat * elements), [&](size_t turn) {
    cuda::gather_rows(x[set(turn)], indices, y[set(turn)], false, stream);
  });
  bench.measure(row("gather_rows, add", shape, 3 * kBfloat * elements), [&](size_t turn) {
    cuda::gather_rows(x[set(turn)], indices, y[set(turn)], true, stream);
  });
  bench.measure(row("add_rows", shape, 2 * kBfloat * elements), [&](size_t turn) {
    cuda::add_rows(x[set(turn)], destinations, std::ssize(sums), ordered, DType::kBFloat16, stream);
  });
  const Tensor bias = bench.tensor(1, D, DType::kFloat32);
  bench.measure(row("add_row", shape, 2 * kBfloat * elements),
                [&](size_t turn) { cuda::add_row(bias, y[set(turn)], stream); });
  bench.forget();
}

void measure_norms(CardBench& bench) {
  const int64_t N = bench.extents().rows;
  const int64_t D = bench.extents().hidden;
  const int64_t E = bench.extents().head_size;
  const std::string shape = extents("N", N, "D", D);
  const double bytes = kBfloat * static_cast<double>(N * D);
  const cuda::Stream stream = bench.stream();
  const auto x = tensors(bench, N, D, DType::kBFloat16);
  const auto dy = tensors(bench, N, D, DType::kBFloat16);
  const auto dx = tensors(bench, N, D, DType::kBFloat16);
  const Tensor weight = bench.tensor(1, D, DType::kFloat32);
  const Tensor bias = bench.tensor(1, D, DType::kFloat32);
  const Tensor statistics = bench.tensor(2, N, DType::kFloat32);
  const Tensor rstd = statistics.row_range(0, 1);
  constexpr float kEpsilon = 1e-5F;

  bench.measure(row("rms_norm", shape, 2 * bytes), [&](size_t turn) {
    cuda::rms_norm(x[turn % kSets], weight, kEpsilon, dx[turn % kSets], rstd, false, stream);
  });
  bench.measure(row("rms_norm_input_gradient", shape, 4 * bytes), [&](size_t turn) {
    cuda::rms_norm_input_gradient(
        x[turn % kSets], weight, rstd, dy[turn % kSets], dx[turn % kSets], stream);
  });
  bench.measure(row("layer_norm", shape, 2 * bytes), [&](size_t turn) {
    cuda::layer_norm(x[turn % kSets], weight, bias, kEpsilon, dx[turn % kSets], statistics, stream);
  });
  bench.measure(row("layer_norm_input_gradient", shape, 4 * bytes), [&](size_t turn) {
    cuda::layer_norm_input_gradient(
        x[turn % kSets], weight, statistics, dy[turn % kSets], dx[turn % kSets], stream);
  });

  std::vector<int32_t> position(static_cast<size_t>(N));
  for (size_t n = 0; n < position.size(); ++n) position[n] = static_cast<int32_t>(n);
  const auto* positions = bench.array(position);
  const Tensor cos = bench.tensor(N, E / 2, DType::kFloat32);
  const Tensor sin = bench.tensor(N, E / 2, DType::kFloat32);
  const double tables = kFloat * static_cast<double>(N * E);
  bench.measure(row("rotary", shape, 2 * bytes + tables), [&](size_t turn) {
    cuda::rotary(x[turn % kSets], E, positions, cos, sin, false, stream);
  });
  bench.forget();
}

void measure_activations(CardBench& bench) {
  const int64_t N = bench.extents().rows;
  const int64_t F = bench.extents().feed_forward;
  const std::string shape = extents("N", N, "F", F);
  const double bytes = kBfloat * static_cast<double>(N * F);
  const cuda::Stream stream = bench.stream();
  const auto x = tensors(bench, N, 2 * F, DType::kBFloat16);
  const auto dh = tensors(bench, N, F, DType::kBFloat16);
  const auto dx = tensors(bench, N, 2 * F, DType::kBFloat16);
  const auto f = cuda::ActivationFunction::kSilu;
  bench.measure(row("activate", shape, 3 * bytes),
                [&](size_t turn) { cuda::activate(f, x[turn % kSets], dh[turn % kSets], stream); });
  bench.measure(row("activate_input_gradient", shape, 5 * bytes), [&](size_t turn) {
    cuda::activate_input_gradient(f, x[turn % kSets], dh[turn % kSets], dx[turn % kSets], stream);
  });
  bench.forget();
}

void measure_head(CardBench& bench) {
  const int64_t T = bench.extents().targets;
  const int64_t V = bench.extents().vocabulary;
  const std::string shape = "T " + std::to_string(T) + ", V " + std::to_string(V) + ", fp32";
  const double bytes = kFloat * static_cast<double>(T * V);
  const cuda::Stream stream = bench.stream();
  const auto logits = tensors(bench, T, V, DType::kFloat32);
  const auto dlogits = tensors(bench, T, V, DType::kFloat32);
  const Tensor log_probs = bench.tensor(1, T, DType::kFloat32);
  const auto* ids = bench.array(std::vector<int32_t>(static_cast<size_t>(T), 7));
  const auto* weights = bench.array(std::vector<float>(static_cast<size_t>(T), 1e-3F));
  bench.measure(row("cap_logits", shape, 2 * bytes),
                [&](size_t turn) { cuda::cap_logits(logits[turn % kSets], 30, stream); });
  bench.measure(row("cross_entropy", shape, 2 * bytes), [&](size_t turn) {
    cuda::cross_entropy(
        logits[turn % kSets], 0, ids, weights, log_probs, dlogits[turn % kSets], stream);
  });
  bench.measure(row("cross_entropy, loss alone", shape, bytes), [&](size_t turn) {
    cuda::cross_entropy(logits[turn % kSets], 0, ids, weights, log_probs, {}, stream);
  });
  bench.forget();
}

struct BlockType {
  uint32_t type;  // GGUF's number
  const char* name;
  int64_t elements;
  int64_t bytes;
};

/// The types that files of quantised weights mostly hold.
constexpr BlockType kBlockTypes[] = {
    {3, "Q4_1", 32, 20}, {8, "Q8_0", 32, 34}, {12, "Q4_K", 256, 144}, {14, "Q6_K", 256, 210}};

void measure_dequantize(CardBench& bench) {
  const int64_t F = bench.extents().feed_forward;
  const int64_t D = bench.extents().hidden * 2;  // whole blocks at small extents too
  const Tensor y = bench.tensor(F, D, DType::kBFloat16);
  for (const BlockType& type : kBlockTypes) {
    const int64_t bytes = F * D / type.elements * type.bytes;
    const Tensor blocks = bench.tensor(1, bytes / 2 + 1, DType::kBFloat16);
    bench.measure(row(std::string("dequantize ") + type.name,
                      extents("F", F, "D", D),
                      static_cast<double>(bytes) + kBfloat * static_cast<double>(F * D)),
                  [&](size_t) { cuda::dequantize(type.type, blocks.data, y, bench.stream()); });
  }
  bench.forget();
}

}  // namespace

void measure_rows(CardBench& bench) {
  measure_moves(bench);
  measure_norms(bench);
  measure_activations(bench);
  measure_head(bench);
  measure_dequantize(bench);
}

}  // namespace prescript::bench
