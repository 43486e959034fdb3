// Prints the peak of this processor in FLOP/s, of two loops that take a second each, with
// as many threads as training takes by default.
//
//   prescript_peak fp32|bf16

#include <cstdio>
#include <string>

#include "ops/ops.h"

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name != "fp32" && name != "bf16") {
    std::fprintf(stderr, "usage: %s fp32|bf16\n", argv[0]);
    return 2;
  }
  const auto dtype = name == "fp32" ? prescript::DType::kFloat32 : prescript::DType::kBFloat16;
  prescript::make_cpu_ops(prescript::default_num_threads());  // sets the number of threads
  std::printf("%.6g\n", prescript::measure_cpu_peak(dtype, 2));
}
