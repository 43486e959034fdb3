#include "train/step_rates.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include "model/device_blocks.h"
#include "model/held_weights.h"

namespace prescript {
namespace {

// Parts of a second that a call may take at the processor's peak. With what is slower than that,
// and all repetitions, it stays below a second.
constexpr double kProductSeconds = 0.02;
constexpr double kHeadSeconds = 0.005;
constexpr double kAttentionSeconds = 0.005;
constexpr int kTurns = 5;

constexpr int64_t kFewestTokens = 128;  // of the head

/// How large the loops may be; what is larger is no slower for each number.
struct Extents {
  int64_t weights = 0;  // of a layer that are multiplied by
  int64_t targets = 0;
  int64_t rows = 0;        // that go through what a layer does to single rows
  bool all_heads = false;  // else those of one kv head
};

constexpr Extents kOfProcessor{.weights = 1 << 22, .targets = 128, .rows = 512, .all_heads = false};

// A card needs more work at a time to be busy.
constexpr Extents kOfCard{.weights = 1 << 29, .targets = 1024, .rows = 1 << 14, .all_heads = true};

/// Seconds that operations of a backend take.
class Clock {
 public:
  explicit Clock(Ops& ops) : ops_(ops), block_(ops.allocate(sizeof(float))) { ops.zero(number()); }

  /// The shortest of several runs: one that is interrupted says less.
  template <typename Operation>
  double seconds_of_run(const Operation& operation) {
    double best = INFINITY;
    for (int turn = 0; turn < kTurns; ++turn) {
      wait();
      const auto begin = std::chrono::steady_clock::now();
      operation();
      wait();
      best = std::min(
          best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return best;
  }

 private:
  Tensor number() const { return {block_.get(), DType::kFloat32, 1, 1, 1}; }

  /// Until the backend has done all it was asked for: a number that is there comes last.
  void wait() {
    float value = 0;
    ops_.download(number(), &value);
  }

  Ops& ops_;
  Buffer block_;
};

/// Operations on zeros, which take as long as other numbers (on a card a little less: zeros draw
/// less power, which leaves a higher clock).
class Loops {
 public:
  Loops(Ops& ops, const DecoderConfig& config, DType dtype, double peak_flops_per_second)
      : ops_(ops),
        config_(config),
        dtype_(dtype),
        peak_(peak_flops_per_second),
        extents_(ops.device_memory() ? kOfCard : kOfProcessor),
        clock_(ops) {}

  void measure_products(int64_t rows, StepRates& rates) {
    int64_t D = config_.hidden_size;
    int64_t HE = config_.query_size();
    int64_t KE = config_.kv_size();
    int64_t F = config_.feed_forward_size;
    int64_t G = config_.gate_up_size();
    const auto num_weights = [&] { return D * (2 * HE + 2 * KE + G + F); };
    while (num_weights() > extents_.weights) {
      for (int64_t* extent : {&D, &HE, &KE, &F, &G}) *extent = (*extent + 1) / 2;
    }
    const double row_flops = 2 * static_cast<double>(num_weights());
    const auto N =
        std::clamp<int64_t>(static_cast<int64_t>(kProductSeconds * peak_ / row_flops), 1, rows);
    struct Product {
      Tensor x, y;
      Weight weight;
    };
    std::vector<Product> products;
    for (const auto& [in, out] : {std::pair{D, HE + 2 * KE}, {HE, D}, {D, G}, {F, D}}) {
      products.push_back({zeros(N, in), zeros(N, out), zero_weight(out, in)});
    }
    const double flops = row_flops * static_cast<double>(N);
    rates.forward.products = flops / clock_.seconds_of_run([&] {
      for (const Product& p : products) ops_.linear(p.x, p.weight, p.y, false);
    });
    rates.backward.products = flops / clock_.seconds_of_run([&] {
      for (const Product& p : products) ops_.linear_input_gradient(p.y, p.weight, p.x);
    });
    blocks_.clear();
  }

  void measure_head(int64_t targets, StepRates& rates) {
    const int64_t D = config_.hidden_size;
    const auto T = std::clamp<int64_t>(targets, 1, extents_.targets);
    const double row_flops = 2 * static_cast<double>(T * D);
    const auto V = std::min(
        std::max<int64_t>(kFewestTokens, static_cast<int64_t>(kHeadSeconds * peak_ / row_flops)),
        config_.vocabulary_size);
    const Tensor hidden = zeros(T, D);
    const Tensor d_hidden = zeros(T, D);
    const Tensor log_probs = zeros(1, T, ops_.accumulate_dtype());
    const Weight head = zero_weight(V, D);
    const std::vector<int32_t> ids(static_cast<size_t>(T), 0);
    const std::vector<float> weights(static_cast<size_t>(T), 1.0F);
    const double flops = row_flops * static_cast<double>(V);
    const double score = clock_.seconds_of_run(
        [&] { ops_.cross_entropy(hidden, head, config_.logit_cap, ids, weights, log_probs, {}); });
    const double both = clock_.seconds_of_run([&] {
      ops_.cross_entropy(hidden, head, config_.logit_cap, ids, weights, log_probs, d_hidden);
    });
    rates.forward.head = flops / score;
    rates.backward.head = flops / std::max(both - score, score / 2);
    blocks_.clear();
  }

  /// The parts of `pass`, up to a row, of all heads or under one kv head.
  void measure_attention(const Schedule& schedule, const Pass& pass, StepRates& rates) {
    DecoderConfig heads = config_;
    if (!extents_.all_heads) {
      heads.num_heads /= config_.num_kv_heads;
      heads.num_kv_heads = 1;
    }
    Pass some = pass;
    const auto flops = [&] { return inner_layer_flops(heads, some).attention; };
    while (flops() > kAttentionSeconds * peak_ && some.num_rows() > 1) {
      some.rows.resize((some.rows.size() + 1) / 2);
      std::vector<int32_t> first_rows(some.rows.size());
      for (size_t i = 0; i < first_rows.size(); ++i) first_rows[i] = static_cast<int32_t>(i);
      some.parts = parts_of_rows(pass.parts, first_rows);
    }
    const int64_t KE = heads.kv_size();
    const int64_t HE = heads.query_size();
    const int64_t N = some.num_rows();
    const AttentionShape shape = heads.attention_shape(0);
    std::vector<KeyValues> sources{{zeros(pass.num_rows(), KE), zeros(pass.num_rows(), KE)}};
    for (const KeptRun& run : schedule.kept_runs) {
      sources.push_back({zeros(run.num_rows, KE), zeros(run.num_rows, KE)});
    }
    const DType kv_gradients = ops_.kv_gradient_dtype();
    const auto gradients_of = [&](int64_t rows) {
      return KeyValues{zeros(rows, KE, kv_gradients), zeros(rows, KE, kv_gradients)};
    };
    std::vector<KeyValues> gradients{gradients_of(pass.num_rows())};
    for (const KeptRun& run : schedule.kept_runs) {
      gradients.push_back(run.needs_gradient ? gradients_of(run.num_rows) : KeyValues{});
    }
    const Tensor q = zeros(N, HE);
    const Tensor out = zeros(N, HE);
    const Tensor lse = zeros(N, heads.num_heads, ops_.accumulate_dtype());
    const Tensor dq = zeros(N, HE, ops_.accumulate_dtype());
    const double forward = flops();
    rates.forward.attention = forward / clock_.seconds_of_run([&] {
      ops_.attention(shape, some.parts, q, sources, out, lse);
    });
    const double backward =
        inner_layer_input_gradient_flops(heads, some, schedule.kept_runs).attention;
    rates.backward.attention = backward / clock_.seconds_of_run([&] {
      ops_.attention_input_gradient(shape, some.parts, q, sources, out, lse, out, dq, gradients);
    });
    blocks_.clear();
  }

  void measure_rows(int64_t rows, StepRates& rates) {
    rows = std::min(rows, extents_.rows);
    const int64_t D = config_.hidden_size;
    const int64_t HE = config_.query_size();
    const int64_t KE = config_.kv_size();
    const DType sums = ops_.accumulate_dtype();
    const Tensor x = zeros(rows, D);
    const Tensor y = zeros(rows, D);
    const Tensor norm = zeros(1, D, sums);
    const Tensor rstd = zeros(1, rows, sums);
    const Tensor qk = zeros(rows, HE + KE);
    const Tensor gate_up = zeros(rows, config_.gate_up_size());
    const Tensor hidden = zeros(rows, config_.feed_forward_size);
    const Tensor dq = zeros(rows, HE, sums);
    const Tensor dk = zeros(rows, KE, ops_.kv_gradient_dtype());
    const Tensor table = zeros(1, config_.rotary_size / 2, sums);
    const std::vector<int32_t> positions(static_cast<size_t>(rows), 0);
    const auto turn = [&](const Tensor& heads, bool inverse) {
      if (config_.rotary_size == 0) return;
      ops_.rotary(heads, config_.head_size, positions, table, table, inverse);
    };
    rates.forward.row_layers = static_cast<double>(rows) / clock_.seconds_of_run([&] {
      for (int norms = 0; norms < 2; ++norms) {
        ops_.rms_norm(x, norm, config_.norm_epsilon, y, rstd);
        ops_.copy(x, y);
      }
      turn(qk, false);
      ops_.activate(config_.features.activation, gate_up, hidden);
    });
    rates.backward.row_layers = static_cast<double>(rows) / clock_.seconds_of_run([&] {
      for (int norms = 0; norms < 2; ++norms) {
        ops_.rms_norm_input_gradient(x, norm, rstd, y, x);
        ops_.zero(dk);
        ops_.copy(dk, qk.col_range(0, KE));
      }
      turn(dq, true);
      turn(dk, true);
      ops_.copy(dq, qk.col_range(0, HE));
      ops_.activate_input_gradient(config_.features.activation, gate_up, hidden, gate_up);
    });
    blocks_.clear();
  }

 private:
  Tensor zeros(int64_t rows, int64_t cols, DType dtype) {
    blocks_.push_back(ops_.allocate(static_cast<size_t>(rows * cols) * size_of(dtype)));
    const Tensor x{blocks_.back().get(), dtype, rows, cols, cols};
    ops_.zero(x);
    return x;
  }
  Tensor zeros(int64_t rows, int64_t cols) { return zeros(rows, cols, dtype_); }

  /// Zero in every layout.
  Weight zero_weight(int64_t rows, int64_t cols) {
    Weight weight{nullptr, dtype_, rows, cols};
    const auto bytes = static_cast<int64_t>(weight.bytes());
    weight.data =
        zeros(1, bytes / static_cast<int64_t>(size_of(DType::kBFloat16)), DType::kBFloat16).data;
    return weight;
  }

  Ops& ops_;
  const DecoderConfig& config_;
  DType dtype_;
  double peak_;
  const Extents extents_;
  Clock clock_;
  std::vector<Buffer> blocks_;
};

double seconds_of(const PhaseWork& work, const PhaseRates& rates) {
  return work.flops.products / rates.products + work.flops.attention / rates.attention +
         work.flops.head / rates.head + work.row_layers / rates.row_layers;
}

}  // namespace

StepRates measure_rates(Ops& ops,
                        const DecoderConfig& config,
                        DType dtype,
                        const Schedule& step,
                        double peak_flops_per_second) {
  const auto smaller = [](const Pass& a, const Pass& b) { return a.num_rows() < b.num_rows(); };
  const Pass& pass = *std::max_element(step.passes.begin(), step.passes.end(), smaller);
  StepRates rates;
  Loops loops(ops, config, dtype, peak_flops_per_second);
  loops.measure_products(pass.num_rows(), rates);
  loops.measure_head(std::ssize(pass.targets), rates);
  loops.measure_attention(step, pass, rates);
  loops.measure_rows(pass.num_rows(), rates);
  return rates;
}

double measure_layout_rate(Ops& ops,
                           const TensorSource& source,
                           const DecoderConfig& config,
                           DType dtype,
                           WeightFormat format) {
  const StoredWeight stored =
      StoredWeights(config, kind_of(source, config)).projection(0, Projection::kGateUp);
  const bool in_blocks = is_in_blocks(ops, source, stored);
  Weight weight{nullptr, dtype, stored.rows(), stored.cols};
  if (!in_blocks) {
    weight.rows = std::clamp(kOfProcessor.weights / stored.cols, int64_t{1}, stored.rows());
  }
  const Buffer block = ops.allocate(weight.bytes());
  weight.data = block.get();
  std::optional<DeviceBlocks> blocks;
  const auto load = [&] {
    blocks->start({stored});
    blocks->finish();
  };
  if (in_blocks) {
    blocks.emplace(ops, source, DeviceBlocks::bytes(source, std::span(&stored, 1)));
    load();
  }
  const double seconds = Clock(ops).seconds_of_run([&] {
    if (!in_blocks) {
      ops.lay_out(
          [&](int64_t begin, int64_t count, float* rows) {
            stored.read(source, begin, count, rows);
          },
          weight);
      return;
    }
    if (format == WeightFormat::kStreamed) load();
    blocks->decode(stored, 0, weight);
  });
  stored.release(source);
  return static_cast<double>(weight.rows * weight.cols) / seconds;
}

double seconds_of(const Work& work, const StepRates& rates) {
  const double laying_out = rates.laid_out > 0 ? work.laid_out / rates.laid_out : 0;
  const double computing =
      seconds_of(work.forward, rates.forward) + seconds_of(work.backward, rates.backward);
  return rates.lays_out_meanwhile ? std::max(computing, laying_out) : computing + laying_out;
}

}  // namespace prescript
