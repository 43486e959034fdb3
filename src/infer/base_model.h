#pragma once
// A base model ready to run: its files, its weights and its decoder.

#include <memory>
#include <string>
#include <vector>

#include "infer/base_model_files.h"
#include "infer/compute_device.h"
#include "model/decoder.h"

namespace prescript {

struct ComputeOptions {
  DType dtype = DType::kBFloat16;
  std::string device = "auto";  // cpu | cuda | auto
  int num_threads = 0;          // 0: default_num_threads()
  WeightFormat weights = WeightFormat::kConverted;
};

/// Files, weights and decoder together.
class BaseModel {
 public:
  /// Loads and converts the weights. Throws InputError(kModel) for damaged ones, DeviceError when
  /// they do not fit into memory, InputError(kUsage) for a device that is not here.
  BaseModel(BaseModelFiles files, const ComputeOptions& options);
  /// In a backend that is there already.
  BaseModel(BaseModelFiles files, const ComputeOptions& options, std::unique_ptr<Ops> ops);
  BaseModel(const BaseModel&) = delete;
  BaseModel& operator=(const BaseModel&) = delete;

  const BaseModelFiles& files() const { return files_; }
  const Tokenizer& tokenizer() const { return *files_.tokenizer; }
  const DecoderConfig& config() const { return files_.config; }
  Ops& ops() { return *ops_; }
  Decoder& decoder() { return *decoder_; }

  /// See BaseModelFiles.
  std::vector<float> embedding_rows(const std::vector<int32_t>& ids) const {
    return files_.embedding_rows(ids);
  }

 private:
  BaseModelFiles files_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<FrozenWeights> weights_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace prescript
