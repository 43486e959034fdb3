// Every kernel's PTX against its host code, on the same inputs.

#include <filesystem>

#include <gtest/gtest.h>

#include "emulator/every_kernel.h"
#include "emulator/ptx_executor.h"
#include "support/tolerance.h"

namespace prescript::emulator {
namespace {

/// Beside roundings in another order (nvcc joins products and sums), what two results of the same
/// bfloat16 inputs may be off.
constexpr double kFloat32 = 1e-5;
constexpr double kBFloat16 = 1.0 / 128;

struct Case {
  int architecture;
  DType dtype;
  int64_t guard;

  std::string name() const {
    return "sm_" + std::to_string(architecture) + "_" + name_of(dtype) +
           (guard == 0 ? "_aligned" : "_anywhere");
  }
};

class KernelPtxTest : public testing::TestWithParam<Case> {
 protected:
  ~KernelPtxTest() override { set_executor(nullptr); }
};
INSTANTIATE_TEST_SUITE_P(Every,
                         KernelPtxTest,
                         testing::Values(Case{80, DType::kFloat32, 0},
                                         Case{80, DType::kFloat32, 3},
                                         Case{80, DType::kBFloat16, 0},
                                         Case{80, DType::kBFloat16, 3},
                                         Case{90, DType::kFloat32, 0},
                                         Case{90, DType::kFloat32, 3},
                                         Case{90, DType::kBFloat16, 0},
                                         Case{90, DType::kBFloat16, 3}),
                         [](const auto& test) { return test.param.name(); });

TEST_P(KernelPtxTest, ComputesWhatTheHostDoes) {
  const auto& [architecture, dtype, guard] = GetParam();
  const std::filesystem::path folder =
      std::filesystem::path(PRESCRIPT_PTX_DIR) / ("sm_" + std::to_string(architecture));
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "this build found no nvcc: the PTX of the kernels was not run";
  }
  const std::vector<Matrix> expected = run_every_kernel(dtype, guard);
  PtxExecutor executor(folder);
  set_executor(&executor);
  const std::vector<Matrix> found = run_every_kernel(dtype, guard);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_LE(tolerance::row_error(found[i], expected[i]),
              dtype == DType::kFloat32 ? kFloat32 : kBFloat16)
        << "result " << i;
  }
  EXPECT_GT(executor.num_run(), 20U);
}

}  // namespace
}  // namespace prescript::emulator
