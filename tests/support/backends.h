#pragma once
// The backends that tests run on: a new one is one line here.

#include <memory>
#include <ostream>
#include <vector>

#include "ops/ops.h"

namespace prescript {

struct Backend {
  const char* name;  // of the test's parameter
  std::unique_ptr<Ops> (*make)();
  DType dtype;
};

inline std::unique_ptr<Ops> make_test_cpu_ops() {
  return make_cpu_ops(2);
}

inline const std::vector<Backend> kBackends = {
    {"Reference", make_reference_ops, DType::kFloat64},
    {"CpuFloat32", make_test_cpu_ops, DType::kFloat32},
    {"CpuBFloat16", make_test_cpu_ops, DType::kBFloat16},
};

inline std::ostream& operator<<(std::ostream& out, const Backend& backend) {
  return out << backend.name;
}

}  // namespace prescript
