// Stands for the cuda backend in builds without it.

#include "base/error.h"
#include "ops/ops.h"

namespace prescript {

std::unique_ptr<Ops> make_cuda_ops() {
  throw InputError(ExitCode::kUsage,
                   "device: cuda: this build has no CUDA backend; use device: cpu or auto");
}

bool cuda_is_available() {
  return false;
}

std::string describe_cuda_backend() {
  return "not in this build";
}

}  // namespace prescript
