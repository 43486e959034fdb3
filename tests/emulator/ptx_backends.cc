// The cuda backend on the emulator, its kernels run by their PTX for the oldest and the newest
// architecture that has none of its own instructions in them.

#include <filesystem>

#include <gtest/gtest.h>

#include "emulator/emulated_device.h"
#include "emulator/ptx_executor.h"
#include "support/backends.h"

namespace prescript {
namespace {

const std::filesystem::path kFolder = PRESCRIPT_PTX_DIR;

/// The architecture's executor is in place from now on.
template <int kArchitecture>
std::unique_ptr<Ops> make_ops() {
  static emulator::PtxExecutor executor(kFolder / ("sm_" + std::to_string(kArchitecture)));
  emulator::set_executor(&executor);
  return emulator::make_emulated_cuda_ops();
}

}  // namespace

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = [] {
    std::vector<Backend> found = {{"Reference", make_reference_ops, DType::kFloat64}};
    if (std::filesystem::exists(kFolder)) {
      found.push_back({"Sm80Float32", make_ops<80>, DType::kFloat32});
      found.push_back({"Sm80BFloat16", make_ops<80>, DType::kBFloat16});
      found.push_back({"Sm90Float32", make_ops<90>, DType::kFloat32});
      found.push_back({"Sm90BFloat16", make_ops<90>, DType::kBFloat16});
    }
    return found;
  }();
  return all;
}

TEST(KernelPtxTest, IsThere) {
  if (!std::filesystem::exists(kFolder)) {
    GTEST_SKIP() << "this build found no nvcc: the PTX of the kernels was not run";
  }
}

}  // namespace prescript
