#include "cli/version.h"

#include "ops/ops.h"

namespace prescript {

std::string describe_version() {
  return std::string("prescript ") + kVersion + "\ncommit " + kCommit + "\n" +
         describe_cpu_backend() + "\nthreads " + std::to_string(default_num_threads()) + "\ncuda " +
         describe_cuda_backend();
}

}  // namespace prescript
