#include "support/backends.h"

namespace prescript {

const std::vector<Backend>& backends() {
  const auto make_cpu = [] { return make_cpu_ops(2); };
  static const std::vector<Backend> all = {
      {"Reference", make_reference_ops, DType::kFloat64},
      {"CpuFloat32", make_cpu, DType::kFloat32},
      {"CpuBFloat16", make_cpu, DType::kBFloat16},
  };
  return all;
}

const std::vector<Backend>& attention_backends() {
  return backends();
}

}  // namespace prescript
