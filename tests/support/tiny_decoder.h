#pragma once
// A tiny Llama of random weights in memory, and steps of a decoder over it on any backend.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "forest/forest.h"
#include "io/tensor_source.h"
#include "model/forest_run.h"
#include "support/backends.h"
#include "support/matrix.h"

namespace prescript {

/// Tensors in memory.
class MemoryTensors final : public TensorSource {
 public:
  /// A vector is [1, n] here and of shape [n] in the list, as files have it.
  void set(const std::string& name, Matrix values) { tensors_[name] = std::move(values); }
  void erase(const std::string& name) { tensors_.erase(name); }
  const Matrix& matrix(const std::string& name) const { return tensors_.at(name); }
  std::vector<std::string> names() const;

  std::vector<std::string> files() const override { return {}; }
  const std::string& path() const override { return path_; }
  const TensorInfo* find(std::string_view name) const override;
  std::vector<TensorInfo> list() const override;
  int64_t column_alignment(std::string_view) const override { return 1; }
  void read(std::string_view name,
            int64_t row_begin,
            int64_t row_end,
            int64_t col_begin,
            int64_t col_end,
            float* out) const override;
  /// As float32.
  std::optional<StoredBlocks> blocks(std::string_view name) const override;
  void release(std::string_view) const override {}
  void read_ahead(std::string_view) const override {}

 private:
  std::string path_ = "memory";
  std::map<std::string, Matrix, std::less<>> tensors_;
  mutable std::map<std::string, TensorInfo, std::less<>> infos_;  // what find() has pointed to
  mutable std::map<std::string, std::vector<float>, std::less<>> blocks_;  // and blocks()
};

/// 3 layers, 4 query heads on 2 key/value heads, untied.
DecoderConfig tiny_config();

/// Under HF's names, rounded to bfloat16, and so large that logits have a standard deviation of
/// about 2: tiny weights hide errors.
MemoryTensors random_llama(const DecoderConfig& config, uint64_t seed = 1);

struct StepResult {
  std::vector<double> log_probs;       // of all targets, by sequence
  double loss = 0;                     // −Σ weight·log_prob
  std::vector<Matrix> gradients = {};  // of each soft prompt
  int64_t rows_computed = 0;
  double flops = 0;
};

struct StepOptions {
  ForestOptions forest = {};
  RunPlan plan = {};
  std::vector<std::vector<Row>> given = {};  // computed before the step
};

class TinyDecoder {
 public:
  /// `weights` must outlive one whose format is kAsStored.
  TinyDecoder(const Backend& backend,
              const DecoderConfig& config,
              const TensorSource& weights,
              WeightFormat format = WeightFormat::kConverted);

  StepResult differentiate(const std::vector<Sequence>& sequences,
                           const std::vector<Matrix>& prompts,
                           const StepOptions& options = {});
  StepResult score(const std::vector<Sequence>& sequences,
                   const std::vector<Matrix>& prompts,
                   const StepOptions& options = {});

  Decoder& decoder() { return *decoder_; }

 private:
  StepResult run(const std::vector<Sequence>& sequences,
                 const std::vector<Matrix>& prompts,
                 const StepOptions& options,
                 bool training);

  DType dtype_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<FrozenWeights> weights_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace prescript
