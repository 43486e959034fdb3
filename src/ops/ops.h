#pragma once
// The operations of a frozen decoder: each has a forward and an input gradient, never a weight
// gradient.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "forest/pass.h"
#include "ops/phase_clock.h"

namespace prescript {

/// Uninitialised memory of a backend, aligned to Arena::kAlignment, freed with its owner.
using Buffer = std::unique_ptr<void, std::function<void(void*)>>;

/// Bytes on the host, one run behind the other.
using BytePieces = std::vector<std::span<const std::byte>>;

/// A copy to a backend's memory that is under way while operations run.
class Upload {
 public:
  /// Waits for it.
  virtual ~Upload() = default;

  /// Operations that are asked for from now on see what was copied. Throws DeviceError.
  virtual void finish() = 0;
};

/// Gives rows [begin, begin + count) of a matrix as dense float32 on the host. Called from several
/// threads at a time.
using ReadRows = std::function<void(int64_t begin, int64_t count, float* rows)>;

/// A frozen matrix with so many rows that not all need be laid out at a time.
class WeightRows {
 public:
  /// The most rows that are laid out at a time where not all are, a multiple of
  /// Weight::kRowMultiple.
  static constexpr int64_t kMaxRows = 3072;

  /// All rows are there.
  WeightRows(Weight whole)  // NOLINT(google-explicit-constructor)
      : shape_(whole),
        max_rows_(std::max<int64_t>(whole.rows, 1)),
        get_([whole](int64_t begin, int64_t count) { return whole.row_range(begin, count); }) {}

  /// `get(begin, count)` gives at most kMaxRows rows, which stay valid until its next call.
  WeightRows(Weight shape, std::function<Weight(int64_t, int64_t)> get)
      : shape_(shape), max_rows_(kMaxRows), get_(std::move(get)) {}

  const Weight& shape() const { return shape_; }

  /// Calls `body(begin, rows)` for ranges of at most `at_most` rows that cover the matrix, in
  /// order, always the same.
  template <typename Body>
  void for_ranges(const Body& body, int64_t at_most = kMaxRows) const {
    const int64_t step = std::min(at_most, max_rows_);
    for (int64_t begin = 0; begin < shape_.rows; begin += step) {
      body(begin, get_(begin, std::min(step, shape_.rows - begin)));
    }
  }

 private:
  Weight shape_;
  int64_t max_rows_;
  std::function<Weight(int64_t, int64_t)> get_;
};

/// Heads of an attention layer: H query heads share K key/value heads of size E, H % K == 0.
struct AttentionShape {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_size = 0;
  double scale = 0;  // of the scores, normally 1 / sqrt(E)
  double cap = 0;    // scaled scores become cap · tanh(score / cap); 0: they stay
};

/// Memory of a device of its own, in bytes.
struct DeviceMemory {
  uint64_t total = 0;
  uint64_t free = 0;
};

/// f of a feed-forward layer.
enum class Activation {
  kSilu,      // x · sigmoid(x)
  kGelu,      // x · Φ(x), by the error function. Hendrycks & Gimpel 2016.
  kGeluTanh,  // its approximation by tanh
};

/// Keys after norm and rotary, and values: [rows, K*E] each.
struct KeyValues {
  Tensor k;
  Tensor v;
};

/// What a memory plan asks about a backend, which need not be here.
class BackendTraits {
 public:
  virtual ~BackendTraits() = default;

  virtual std::string_view name() const = 0;

  /// float32, or float64 in the reference backend.
  virtual DType accumulate_dtype() const = 0;

  /// Of K/V gradients, which sum over all rows that see a key: at least the accumulate dtype.
  virtual DType kv_gradient_dtype() const = 0;

  /// Nothing where it computes in the process's own memory.
  virtual std::optional<DeviceMemory> device_memory() const { return std::nullopt; }

  /// Whether weights can stay in its memory as they are stored: Ops::start_upload, decode_blocks.
  virtual bool holds_blocks() const { return false; }
};

/// A backend. Operations check shapes and dtypes (ContractError) and write every element of their
/// outputs unless they say "adds". Activations and weights share one compute dtype; statistics and
/// losses are in `accumulate_dtype()`, K/V gradients in `kv_gradient_dtype()`. Indices are host
/// spans. Same inputs, same bits: sums have a fixed order. Letters: N rows, T targets, D hidden, F
/// feed-forward, V vocabulary, H query heads, K kv heads, E head size.
class Ops : public BackendTraits {
 public:
  // --- measuring ---

  /// What is asked for from now on is counted as this phase; nothing: as none.
  virtual void begin_phase(std::optional<Phase> phase) { phase_clock_.begin(phase); }

  /// Seconds of each phase since they were taken before; waits for them to end.
  virtual PhaseSeconds take_phase_seconds() { return phase_clock_.take(); }

  // --- memory ---

  /// Throws DeviceError (exit 5) when there is not enough.
  virtual Buffer allocate(size_t bytes) = 0;

  virtual void zero(Tensor x) = 0;

  /// y = x, converted between dtypes if need be; rounds to nearest even.
  virtual void copy(Tensor x, Tensor y) = 0;

  /// Copies rows of float32 numbers on the host, `x` dense, into y; and back.
  virtual void upload(const float* x, Tensor y) = 0;
  virtual void download(Tensor x, float* y) = 0;

  // --- frozen weights ---

  /// Fills `weight` in the layout that this backend multiplies by with the rows that `read` gives,
  /// rounded to its dtype. All threads read, some rows at a time.
  virtual void lay_out(const ReadRows& read, Weight weight) = 0;

  // Of backends that hold blocks, GGUF's (io/gguf_quantization.h has their types).

  /// Starts to copy blocks as they lie in the file, once all operations asked for so far are done;
  /// the pieces stay until it has finished. One at a time.
  virtual std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to);
  void upload_blocks(std::span<const std::byte> blocks, void* to) {
    start_upload({blocks}, to)->finish();
  }

  /// lay_out, for rows [begin, begin + count) of `weight`, whose numbers lie in `blocks` row after
  /// row.
  virtual void decode_blocks(
      uint32_t type, const void* blocks, Weight weight, int64_t begin, int64_t count);

  // --- rows ---

  /// x_ND = scale · rows of embedding_VD, or rows of prompts_PD[row.soft_prompt] (accumulate dtype,
  /// cast on the way), which are not scaled.
  virtual void embed(Weight embedding_VD,
                     double scale,
                     std::span<const Tensor> prompts_PD,
                     std::span<const Row> rows,
                     Tensor x_ND) = 0;

  /// Adds the gradient of each virtual row to its row of gradients_PD (accumulate dtype), in row
  /// order.
  virtual void embed_input_gradient(Tensor dx_ND,
                                    std::span<const Row> rows,
                                    std::span<const Tensor> gradients_PD) = 0;

  /// y[i] = x[indices[i]]; with `add`, y[i] += it.
  virtual void gather_rows(Tensor x_ND,
                           std::span<const int32_t> indices,
                           Tensor y,
                           bool add = false) = 0;

  /// Adds x[i] to y[indices[i]], in order of i. y may be of the accumulate dtype.
  virtual void scatter_add_rows(Tensor x, std::span<const int32_t> indices, Tensor y_ND) = 0;

  // --- products and norms ---

  /// y_NO = x_NI · weight_OIᵀ; with `add`, y += it.
  virtual void linear(Tensor x_NI, Weight weight_OI, Tensor y_NO, bool add) = 0;

  /// dx_NI = dy_NO · weight_OI.
  virtual void linear_input_gradient(Tensor dy_NO, Weight weight_OI, Tensor dx_NI) = 0;

  // Norms and biases, [1, D], are of the accumulate dtype.

  /// Adds row_D to every row of y: a bias.
  virtual void add_row(Tensor row_D, Tensor y_ND) = 0;

  /// y = x · rstd · weight, rstd = 1 / sqrt(mean(x²) + epsilon) (accumulate dtype); with `add`,
  /// y += it. Rows may consist of several groups of weight_D's size, as of heads: rstd is
  /// [1, N · groups]. Zhang & Sennrich 2019.
  virtual void rms_norm(Tensor x_ND,
                        Tensor weight_D,
                        double epsilon,
                        Tensor y_ND,
                        Tensor rstd_N,
                        bool add = false) = 0;

  /// Adds rstd·(weight·dy) − x·rstd³/D · Σ(weight·dy·x) to dx. dy may be of the accumulate dtype.
  virtual void rms_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor rstd_N, Tensor dy_ND, Tensor dx_ND) = 0;

  /// y = z · weight + bias, z = (x − mean) · rstd, rstd = 1 / sqrt(variance + epsilon); mean and
  /// rstd, rows 0 and 1 of statistics_2N, in the accumulate dtype. Ba et al. 2016.
  virtual void layer_norm(Tensor x_ND,
                          Tensor weight_D,
                          Tensor bias_D,
                          double epsilon,
                          Tensor y_ND,
                          Tensor statistics_2N) = 0;

  /// Adds rstd·(g − mean(g) − z·mean(g·z)), g = weight·dy, to dx. dy may be of the accumulate
  /// dtype.
  virtual void layer_norm_input_gradient(
      Tensor x_ND, Tensor weight_D, Tensor statistics_2N, Tensor dy_ND, Tensor dx_ND) = 0;

  // --- attention ---

  /// Turns each head of x (rows of heads of size E, in place) by its row's position: of C columns
  /// of the tables (accumulate dtype), element i and i + C of a head are a pair, turned by the
  /// angle whose cosine and sine stand in row `position`, column i; elements from 2C on stay.
  /// `inverse` turns back, which is the input gradient. Su et al. 2021, in the half-split order of
  /// transformers.
  virtual void rotary(Tensor x,
                      int64_t head_size,
                      std::span<const int32_t> positions,
                      Tensor cos,
                      Tensor sin,
                      bool inverse) = 0;

  /// softmax(capped scale · q·kᵀ)·v over the parts of each query row, merged exactly by log-sum-exp
  /// (Hydragen, arXiv 2402.05099). sources[0] are the K/V of this pass, sources[1 + i] of kept run
  /// i. Part outputs are merged in the accumulate dtype, in the order of `parts`. Every query row
  /// sees a key. lse_NH: natural-log log-sum-exp of the scores (accumulate dtype).
  virtual void attention(const AttentionShape& shape,
                         std::span<const Part> parts,
                         Tensor q_NHE,
                         std::span<const KeyValues> sources,
                         Tensor out_NHE,
                         Tensor lse_NH) = 0;

  /// dq_NHE is written, gradients[s] (K/V gradient dtype) are added to, in the order of `parts`;
  /// where gradients[s].k has no data, source s needs none. Takes the merged out and log-sum-exp,
  /// as flash attention's backward does. dq_NHE is of the accumulate dtype.
  virtual void attention_input_gradient(const AttentionShape& shape,
                                        std::span<const Part> parts,
                                        Tensor q_NHE,
                                        std::span<const KeyValues> sources,
                                        Tensor out_NHE,
                                        Tensor lse_NH,
                                        Tensor dout_NHE,
                                        Tensor dq_NHE,
                                        std::span<const KeyValues> gradients) = 0;

  // --- feed-forward and head ---

  /// h_NF = f(gate) · up, gate and up being the halves of x's 2F columns (Shazeer 2020); of x with
  /// F columns, h = f(x).
  virtual void activate(Activation f, Tensor x, Tensor h_NF) = 0;

  /// dx may be x itself.
  virtual void activate_input_gradient(Activation f, Tensor x, Tensor dh_NF, Tensor dx) = 0;

  /// log_probs[t] = log softmax(logits)[t, token_ids[t]] (accumulate dtype, [1, T]), the logits
  /// being those of `logits`. Where dhidden_TD has data, it becomes the gradient of
  /// −Σ weights[t] · log_probs[t]. Logits exist for a chunk of targets at a time.
  virtual void cross_entropy(Tensor hidden_TD,
                             const WeightRows& head_VD,
                             double cap,
                             std::span<const int32_t> token_ids,
                             std::span<const float> weights,
                             Tensor log_probs_T,
                             Tensor dhidden_TD) = 0;

  /// logits_NV = hidden_ND · head_VDᵀ in the accumulate dtype; where `cap` is not 0,
  /// cap · tanh(logit / cap).
  virtual void logits(Tensor hidden_ND,
                      const WeightRows& head_VD,
                      double cap,
                      Tensor logits_NV) = 0;

 private:
  PhaseClock phase_clock_;
};

/// Every operation as plain formulas in float64: the oracle.
std::unique_ptr<Ops> make_reference_ops();

/// The CPU, by kernels and on threads of our own; compute dtype float32 or bfloat16.
/// The number of threads holds for the process; bits do not depend on it. Throws DeviceError (exit
/// 5) on a processor without AVX2.
std::unique_ptr<Ops> make_cpu_ops(int num_threads);

/// Threads that LibTorch would use by itself: the processors this process may run on, or
/// OMP_NUM_THREADS where that is fewer.
int default_num_threads();

/// LibTorch's version and the vector instructions it uses here, for `--version` and reports.
std::string describe_cpu_backend();

/// FLOP/s that the cpu backend's threads can reach on operands of `dtype`: the larger of
/// multiply-adds in registers and of tiles of the product kernel on operands in the first-level
/// cache, each for half of `seconds`. Interruptions only make it smaller.
double measure_cpu_peak(DType dtype, double seconds);

/// CUDA kernels on the first card. Throws InputError (exit 2) in a build without them and where
/// there is no card.
std::unique_ptr<Ops> make_cuda_ops();

/// Whether this build has the cuda backend and this machine a card for it.
bool cuda_is_available();

/// The card, its driver and the toolkit's version, for `--version` and reports; in a build without
/// the cuda backend, that it has none.
std::string describe_cuda_backend();

}  // namespace prescript
