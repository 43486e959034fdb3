// The cuda backend: Ops by the kernels of cuda/kernels.h and the products of a device.

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <thread>
#include <vector>

#include "ops/check.h"
#include "ops/cuda_attention.h"
#include "ops/cuda_device.h"

namespace prescript::cuda {
namespace {

// Logits of as many targets as fit are made at a time.
constexpr int64_t kMaxLogitBytes = int64_t{256} << 20;

// float32 numbers on their way to the card.
constexpr int64_t kMaxStagedBytes = int64_t{64} << 20;

constexpr int64_t kMaxReaders = 16;

/// Dense rows of the shape of `like`.
Tensor dense(void* data, DType dtype, const Tensor& like) {
  return {data, dtype, like.rows, like.cols, like.cols};
}

Tensor rows_of(const Weight& weight) {
  return {weight.data, weight.dtype, weight.rows, weight.cols, weight.row_size()};
}

size_t bytes_of(const Tensor& x) {
  return static_cast<size_t>(x.num_elements()) * size_of(x.dtype);
}

/// Calls `read` for the rows [begin, begin + count), divided among threads.
void read_rows(const ReadRows& read, int64_t begin, int64_t count, int64_t cols, float* rows) {
  const int64_t hardware = std::max(1U, std::thread::hardware_concurrency());
  const int64_t num_readers = std::min({count, hardware, kMaxReaders});
  std::vector<std::future<void>> readers;
  for (int64_t i = 0; i < num_readers; ++i) {
    const int64_t first = count * i / num_readers;
    const int64_t last = count * (i + 1) / num_readers;
    readers.push_back(std::async(std::launch::async, [&read, begin, cols, rows, first, last] {
      read(begin + first, last - first, rows + first * cols);
    }));
  }
  for (std::future<void>& reader : readers) reader.get();
}

ActivationFunction function_of(Activation f) {
  switch (f) {
    case Activation::kSilu:
      return ActivationFunction::kSilu;
    case Activation::kGelu:
      return ActivationFunction::kGelu;
    case Activation::kGeluTanh:
      return ActivationFunction::kGeluTanh;
  }
  throw ContractError("unknown activation");
}

class CudaOps final : public Ops {
 public:
  explicit CudaOps(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  std::string_view name() const override { return "cuda"; }
  DType accumulate_dtype() const override { return DType::kFloat32; }
  DType kv_gradient_dtype() const override { return DType::kFloat32; }

  // --- measuring ---

  void begin_phase(std::optional<Phase> phase) override { device_->begin_phase(phase); }
  PhaseSeconds take_phase_seconds() override { return device_->take_phase_seconds(); }

  // --- memory ---

  Buffer allocate(size_t bytes) override { return device_->allocate(bytes); }
  std::optional<DeviceMemory> device_memory() const override { return device_->memory(); }

  void zero(Tensor x) override { cuda::zero(x, stream()); }

  void copy(Tensor x, Tensor y) override {
    ops_check::same_shape("copy", x, y);
    cuda::copy(x, y, stream());
  }

  void upload(const float* x, Tensor y) override {
    for_staged_rows(y, [&](Tensor part, int64_t begin, const Buffer& staged) {
      const Tensor numbers = dense(staged.get(), DType::kFloat32, part);
      device_->to_device(x + begin * y.cols, numbers.data, bytes_of(numbers));
      cuda::copy(numbers, part, stream());
    });
  }

  void download(Tensor x, float* y) override {
    for_staged_rows(x, [&](Tensor part, int64_t begin, const Buffer& staged) {
      const Tensor numbers = dense(staged.get(), DType::kFloat32, part);
      cuda::copy(part, numbers, stream());
      device_->to_host(numbers.data, y + begin * x.cols, bytes_of(numbers));
    });
  }

  // --- frozen weights: dense rows of row_size() elements ---

  void lay_out(const ReadRows& read, Weight weight) override {
    std::vector<float> numbers;
    const Tensor rows = rows_of(weight);
    for_staged_rows(rows, [&](Tensor part, int64_t begin, const Buffer& staged) {
      numbers.resize(static_cast<size_t>(part.num_elements()));
      read_rows(read, begin, part.rows, part.cols, numbers.data());
      const Tensor on_card = dense(staged.get(), DType::kFloat32, part);
      device_->to_device(numbers.data(), on_card.data, bytes_of(on_card));
      cuda::copy(on_card, part, stream());
    });
  }

  bool holds_blocks() const override { return true; }

  std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) override {
    return device_->start_upload(std::move(pieces), to);
  }

  void decode_blocks(
      uint32_t type, const void* blocks, Weight weight, int64_t begin, int64_t count) override {
    dequantize(type, blocks, rows_of(weight).row_range(begin, count), stream());
  }

  // --- rows ---

  void embed(Weight embedding_VD,
             double scale,
             std::span<const Tensor> prompts_PD,
             std::span<const Row> rows,
             Tensor x_ND) override {
    ops_check::embed(embedding_VD, prompts_PD, rows, x_ND);
    std::vector<EmbeddedRow> embedded;
    for (const Row& row : rows) {
      if (row.is_virtual()) {
        embedded.push_back({prompts_PD[row.soft_prompt].row<float>(row.index), 0});
      } else {
        embedded.push_back({nullptr, row.index});
      }
    }
    cuda::embed(rows_of(embedding_VD),
                static_cast<float>(scale),
                place<EmbeddedRow>(embedded),
                x_ND,
                stream());
  }

  void embed_input_gradient(Tensor dx_ND,
                            std::span<const Row> rows,
                            std::span<const Tensor> gradients_PD) override {
    ops_check::embed_input_gradient(dx_ND, rows, gradients_PD);
    std::map<void*, std::vector<int32_t>> sources;
    for (size_t n = 0; n < rows.size(); ++n) {
      if (!rows[n].is_virtual()) continue;
      float* const destination = gradients_PD[rows[n].soft_prompt].row<float>(rows[n].index);
      sources[destination].push_back(static_cast<int32_t>(n));
    }
    add_rows(dx_ND, sources, DType::kFloat32);
  }

  void gather_rows(Tensor x_ND, std::span<const int32_t> indices, Tensor y, bool add) override {
    ops_check::gather_rows(x_ND, indices, y);
    cuda::gather_rows(x_ND, place(indices), y, add, stream());
  }

  void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) override {
    ops_check::scatter_add_rows(x, indices, y_ND);
    std::map<void*, std::vector<int32_t>> sources;
    for (size_t i = 0; i < indices.size(); ++i) {
      sources[y_ND.row_range(indices[i], 1).data].push_back(static_cast<int32_t>(i));
    }
    add_rows(x, sources, y_ND.dtype);
  }

  // --- products and norms ---

  void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) override {
    ops_check::linear("linear", x_NI, weight_OI, y_NO);
    device_->multiply({.x = x_NI, .weight_OI = rows_of(weight_OI), .y = y_NO, .add = add});
  }

  void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) override {
    ops_check::linear("linear_input_gradient", dx_NI, weight_OI, dy_NO);
    device_->multiply(
        {.x = dy_NO, .weight_OI = rows_of(weight_OI), .y = dx_NI, .is_input_gradient = true});
  }

  void add_row(Tensor row_D, Tensor y_ND) override {
    ops_check::add_row(row_D, y_ND);
    cuda::add_row(row_D, y_ND, stream());
  }

  void rms_norm(
      Tensor x_ND, Tensor weight_D, double epsilon, Tensor y_ND, Tensor rstd_N, bool add) override {
    ops_check::rms_norm(x_ND, weight_D, y_ND, rstd_N);
    cuda::rms_norm(x_ND, weight_D, static_cast<float>(epsilon), y_ND, rstd_N, add, stream());
  }

  void rms_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) override {
    ops_check::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND);
    cuda::rms_norm_input_gradient(x_ND, weight_D, rstd_N, dy_ND, dx_ND, stream());
  }

  void layer_norm(Tensor x_ND,
                  Tensor weight_D,
                  Tensor bias_D,
                  double epsilon,
                  Tensor y_ND,
                  Tensor statistics_2N) override {
    ops_check::layer_norm(x_ND, weight_D, y_ND, statistics_2N);
    ops_check::same_shape("layer_norm: bias", weight_D, bias_D);
    cuda::layer_norm(
        x_ND, weight_D, bias_D, static_cast<float>(epsilon), y_ND, statistics_2N, stream());
  }

  void layer_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) override {
    ops_check::layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND);
    cuda::layer_norm_input_gradient(x_ND, weight_D, statistics_2N, dy_ND, dx_ND, stream());
  }

  // --- attention ---

  void rotary(Tensor x,
              int64_t head_size,
              std::span<const int32_t> positions,
              Tensor cos,
              Tensor sin,
              bool inverse) override {
    ops_check::rotary(x, head_size, positions, cos, sin, DType::kFloat32);
    cuda::rotary(x, head_size, place(positions), cos, sin, inverse, stream());
  }

  void attention(const AttentionShape& shape,
                 std::span<const Part> parts,
                 Tensor q_NHE,
                 std::span<const KeyValues> sources,
                 Tensor out_NHE,
                 Tensor lse_NH) override {
    ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
    if (q_NHE.rows == 0) return;
    const auto plan =
        AttentionPlan::forward(device_->products(), shape, parts, q_NHE, sources, out_NHE);
    const Buffer workspace = device_->allocate(plan.workspace_bytes());
    cuda::attention(placed(plan, workspace), q_NHE, out_NHE, lse_NH, stream());
  }

  // The parameters are those of Ops. NOLINTNEXTLINE(readability-function-size)
  void attention_input_gradient(const AttentionShape& shape,
                                std::span<const Part> parts,
                                Tensor q_NHE,
                                std::span<const KeyValues> sources,
                                Tensor out_NHE,
                                Tensor lse_NH,
                                Tensor dout_NHE,
                                Tensor dq_NHE,
                                std::span<const KeyValues> gradients) override {
    ops_check::attention(shape, parts, q_NHE, sources, out_NHE, lse_NH);
    ops_check::attention_input_gradient(
        q_NHE, sources, dout_NHE, dq_NHE, gradients, DType::kFloat32);
    if (q_NHE.rows == 0) return;
    const auto plan = AttentionPlan::input_gradient(
        device_->products(), shape, parts, q_NHE, sources, out_NHE, dout_NHE, dq_NHE, gradients);
    const Buffer workspace = device_->allocate(plan.workspace_bytes());
    const auto size = static_cast<int64_t>(plan.workspace_bytes() / sizeof(float));
    if (size > 0) zero({workspace.get(), DType::kFloat32, 1, size, size});
    const Tensor projections = dense(nullptr, DType::kFloat32, lse_NH);
    const Buffer block = device_->allocate(bytes_of(projections));
    cuda::attention_input_gradient(placed(plan, workspace),
                                   q_NHE,
                                   out_NHE,
                                   lse_NH,
                                   dout_NHE,
                                   dense(block.get(), DType::kFloat32, lse_NH),
                                   dq_NHE,
                                   stream());
  }

  // --- feed-forward and head ---

  void activate(Activation f, Tensor x, Tensor h_NF) override {
    ops_check::activate(x, h_NF);
    cuda::activate(function_of(f), x, h_NF, stream());
  }

  void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) override {
    ops_check::activate_input_gradient(x, dh_NF, dx);
    cuda::activate_input_gradient(function_of(f), x, dh_NF, dx, stream());
  }

  void cross_entropy(Tensor hidden_TD,
                     const WeightRows& head_VD,
                     double cap,
                     std::span<const int32_t> token_ids,
                     std::span<const float> weights,
                     Tensor log_probs_T,
                     Tensor dhidden_TD) override {
    ops_check::cross_entropy(
        hidden_TD, head_VD.shape(), token_ids, weights, log_probs_T, dhidden_TD);
    const int64_t V = head_VD.shape().rows;
    const int64_t max_rows =
        std::max<int64_t>(1, kMaxLogitBytes / (V * static_cast<int64_t>(sizeof(float))));
    for (int64_t begin = 0; begin < hidden_TD.rows; begin += max_rows) {
      const int64_t count = std::min(max_rows, hidden_TD.rows - begin);
      cross_entropy_of(hidden_TD.row_range(begin, count),
                       head_VD,
                       static_cast<float>(cap),
                       token_ids.subspan(begin, count),
                       weights.subspan(begin, count),
                       log_probs_T.col_range(begin, count),
                       dhidden_TD.data == nullptr ? Tensor{} : dhidden_TD.row_range(begin, count));
    }
  }

  void logits(Tensor hidden_ND, const WeightRows& head_VD, double cap, Tensor logits_NV) override {
    ops_check::logits(hidden_ND, head_VD.shape(), logits_NV);
    raw_logits(hidden_ND, head_VD, logits_NV);
    if (cap != 0) cap_logits(logits_NV, static_cast<float>(cap), stream());
  }

 private:
  Stream stream() const { return device_->stream(); }

  template <typename T>
  const T* place(std::span<const T> values) {
    return static_cast<const T*>(device_->place(std::as_bytes(values)));
  }

  AttentionWork placed(const AttentionPlan& plan, const Buffer& workspace) {
    return plan.place(
        [this](const void* data, size_t bytes) {
          return device_->place({static_cast<const std::byte*>(data), bytes});
        },
        workspace.get());
  }

  /// Calls `body(rows, begin, staged)` for runs of rows of x, `staged` having room for their
  /// numbers in float32.
  template <typename Body>
  void for_staged_rows(Tensor x, const Body& body) {
    if (x.num_elements() == 0) return;
    const auto row_bytes = x.cols * static_cast<int64_t>(sizeof(float));
    const int64_t max_rows = std::min(x.rows, std::max<int64_t>(1, kMaxStagedBytes / row_bytes));
    const Buffer staged = device_->allocate(static_cast<size_t>(max_rows * row_bytes));
    for (int64_t begin = 0; begin < x.rows; begin += max_rows) {
      const int64_t count = std::min(max_rows, x.rows - begin);
      body(x.row_range(begin, count), begin, staged);
    }
  }

  /// Adds rows of x, given per destination in their order.
  void add_rows(Tensor x, const std::map<void*, std::vector<int32_t>>& sources, DType to) {
    std::vector<RowSum> sums;
    std::vector<int32_t> order;
    for (const auto& [destination, rows] : sources) {
      sums.push_back(
          {destination, static_cast<int32_t>(order.size()), static_cast<int32_t>(rows.size())});
      order.insert(order.end(), rows.begin(), rows.end());
    }
    if (sums.empty()) return;
    cuda::add_rows(x,
                   place<RowSum>(sums),
                   static_cast<int64_t>(sums.size()),
                   place<int32_t>(order),
                   to,
                   stream());
  }

  void raw_logits(Tensor hidden_ND, const WeightRows& head_VD, Tensor logits_NV) {
    head_VD.for_ranges(
        [&](int64_t begin, const Weight& rows) {
          device_->multiply({.x = hidden_ND,
                             .weight_OI = rows_of(rows),
                             .y = logits_NV.col_range(begin, rows.rows)});
        },
        head_VD.shape().rows);
  }

  void cross_entropy_of(Tensor hidden_TD,
                        const WeightRows& head_VD,
                        float cap,
                        std::span<const int32_t> token_ids,
                        std::span<const float> weights,
                        Tensor log_probs_T,
                        Tensor dhidden_TD) {
    const int64_t T = hidden_TD.rows;
    const int64_t V = head_VD.shape().rows;
    // Rows that begin where wide loads and products like them to.
    const Tensor padded{nullptr, DType::kFloat32, T, (V + 7) / 8 * 8, (V + 7) / 8 * 8};
    const Buffer logits_block = device_->allocate(bytes_of(padded));
    const Tensor logits_TV = dense(logits_block.get(), DType::kFloat32, padded).col_range(0, V);
    Buffer gradient_block;
    Tensor dlogits_TV;
    if (dhidden_TD.data != nullptr) {
      dlogits_TV = logits_TV;  // in their place
      if (hidden_TD.dtype != DType::kFloat32) {
        gradient_block = device_->allocate(bytes_of(padded));
        dlogits_TV = dense(gradient_block.get(), hidden_TD.dtype, padded).col_range(0, V);
      }
    }
    raw_logits(hidden_TD, head_VD, logits_TV);
    cuda::cross_entropy(
        logits_TV, cap, place(token_ids), place(weights), log_probs_T, dlogits_TV, stream());
    if (dhidden_TD.data != nullptr) logits_input_gradient(dlogits_TV, head_VD, dhidden_TD);
  }

  void logits_input_gradient(Tensor dlogits_TV, const WeightRows& head_VD, Tensor dhidden_TD) {
    const Tensor shape = dense(nullptr, DType::kFloat32, dhidden_TD);
    const Buffer block = device_->allocate(bytes_of(shape));
    const Tensor sums_TD = dense(block.get(), DType::kFloat32, shape);
    head_VD.for_ranges(
        [&](int64_t begin, const Weight& rows) {
          device_->multiply({.x = dlogits_TV.col_range(begin, rows.rows),
                             .weight_OI = rows_of(rows),
                             .y = sums_TD,
                             .is_input_gradient = true,
                             .add = begin > 0});
        },
        head_VD.shape().rows);
    cuda::copy(sums_TD, dhidden_TD, stream());
  }

  std::unique_ptr<Device> device_;
};

}  // namespace

std::unique_ptr<Ops> make_ops(std::unique_ptr<Device> device) {
  return std::make_unique<CudaOps>(std::move(device));
}

}  // namespace prescript::cuda
