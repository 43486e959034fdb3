#include "infer/base_model.h"

#include "io/tensor_source.h"

namespace prescript {

void check_device(const std::string& device) {
  if (device == "auto" || device == "cpu") return;
  if (device == "cuda") make_cuda_ops();
  throw InputError(ExitCode::kUsage, "device: '" + device + "' is not one of cpu, cuda, auto");
}

BaseModel::BaseModel(BaseModelFiles files, const ComputeOptions& options)
    : files_(std::move(files)) {
  check_device(options.device);
  ops_ = make_cpu_ops(options.num_threads == 0 ? default_num_threads() : options.num_threads);
  weights_ = load_weights(*ops_, *files_.tensors, files_.config, options.dtype, options.weights);
  decoder_ =
      std::make_unique<Decoder>(*ops_, files_.config, *weights_, files_.config.max_positions);
}

}  // namespace prescript
