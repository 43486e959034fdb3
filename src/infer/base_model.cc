#include "infer/base_model.h"

#include "io/tensor_source.h"

namespace prescript {

BaseModel::BaseModel(BaseModelFiles files, const ComputeOptions& options)
    : BaseModel(std::move(files), options, make_ops(options.device, options.num_threads)) {}

BaseModel::BaseModel(BaseModelFiles files, const ComputeOptions& options, std::unique_ptr<Ops> ops)
    : files_(std::move(files)), ops_(std::move(ops)) {
  weights_ = load_weights(*ops_, *files_.tensors, files_.config, options.dtype, options.weights);
  decoder_ =
      std::make_unique<Decoder>(*ops_, files_.config, *weights_, files_.config.max_positions);
}

}  // namespace prescript
