#pragma once
// The cuda backend with tensors of random numbers made on the card, a clock, and where the
// measurements go.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "card_timer.h"
#include "cuda/kernels.h"
#include "ops/cuda_device.h"
#include "ops/ops.h"

namespace prescript::bench {

/// What is measured at: those of an 8B Llama, or small ones that show that every case runs.
struct Extents {
  int64_t rows = 8192;                // N
  int64_t hidden = 4096;              // D
  int64_t feed_forward = 14336;       // F
  int64_t vocabulary = 128256;        // V
  int64_t targets = 512;              // T
  int64_t heads = 32;                 // H
  int64_t kv_heads = 8;               // K
  int64_t head_size = 128;            // E
  int64_t product = 8192;             // a side of the largest product
  int64_t copied = int64_t{1} << 30;  // bytes of the largest copy
  int64_t causal_rows = 4096;
  int64_t shared_rows = 1024;  // P 50 and S 974
  int64_t leaves = 64;
  int64_t leaf_rows = 100;
  int64_t layers = 0;  // 0: all of the model
  bool is_small = false;

  static Extents small();
};

/// One measurement: a line to read, and a line of JSON.
struct Measurement {
  std::string group;  // ceiling | rows | attention | loading | step
  std::string name;
  std::string shape;
  double seconds = 0;  // the median
  double fastest = 0;
  double slowest = 0;
  double bytes = 0;  // that must move at least
  double flops = 0;  // that it needs
  std::vector<std::pair<std::string, double>> more = {};
};

class CardBench {
 public:
  /// `json` is a file to which lines are added, or empty; `output` is for those that are read.
  CardBench(const Extents& extents, const std::string& json, std::FILE* output = stdout);
  ~CardBench();
  CardBench(const CardBench&) = delete;
  CardBench& operator=(const CardBench&) = delete;

  const Extents& extents() const { return extents_; }
  cuda::Device& device() { return *device_; }
  cuda::Stream stream() const { return device_->stream(); }
  Ops& ops() { return *ops_; }

  /// Of N(0, deviation²), each other numbers. Tensors live as long as this, or until `forget`.
  Tensor tensor(int64_t rows, int64_t cols, DType dtype, float deviation = 1);
  Weight weight(int64_t rows, int64_t cols, DType dtype, float deviation);
  /// A copy of `values` on the card.
  template <typename T>
  const T* array(const std::vector<T>& values) {
    void* data = take(values.size() * sizeof(T));
    device_->to_device(values.data(), data, values.size() * sizeof(T));
    return static_cast<const T*>(data);
  }
  void* take(size_t bytes);
  void forget() { blocks_.clear(); }

  /// Times `work(turn)`, turn 0, 1, 2, ...: after a warm-up the median of several runs of several
  /// turns. A work that takes turns through kSets sets of inputs finds none of them in a cache.
  void measure(Measurement measurement, const std::function<void(size_t)>& work);
  static constexpr size_t kSets = 3;

  void report(const Measurement& measurement);
  /// A measurement that could not be made.
  void report_failure(const std::string& group, const std::string& name, const std::string& why);

 private:
  Extents extents_;
  cuda::Device* device_ = nullptr;  // the backend's
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<CardTimer> timer_;
  std::vector<Buffer> blocks_;
  uint64_t num_filled_ = 0;
  std::FILE* json_ = nullptr;
  std::FILE* output_ = nullptr;  // somebody else's
};

void measure_ceilings(CardBench& bench);
void measure_rows(CardBench& bench);
void measure_attention(CardBench& bench);
void measure_loading(CardBench& bench);
/// A training step of a model of 8B parameters in bfloat16.
void measure_step(CardBench& bench);
/// A training step of a model of 70B parameters in blocks of 4 bits.
void measure_quantized_step(CardBench& bench);
/// Steps of models of 8B and 70B parameters in bfloat16 whose layers are streamed from the host.
void measure_streamed_steps(CardBench& bench);

}  // namespace prescript::bench
