// Every kernel's PTX against its host code, on the same inputs.

#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>

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
  std::string architecture;
  DType dtype;
  int64_t guard;

  std::string name() const {
    return architecture + "_" + name_of(dtype) + (guard == 0 ? "_aligned" : "_anywhere");
  }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name();
}

class KernelPtxTest : public testing::TestWithParam<Case> {
 protected:
  ~KernelPtxTest() override { set_executor(nullptr); }
};
INSTANTIATE_TEST_SUITE_P(Every,
                         KernelPtxTest,
                         testing::Values(Case{"sm_80", DType::kFloat32, 0},
                                         Case{"sm_80", DType::kFloat32, 3},
                                         Case{"sm_80", DType::kBFloat16, 0},
                                         Case{"sm_80", DType::kBFloat16, 3},
                                         Case{"sm_90a", DType::kFloat32, 0},
                                         Case{"sm_90a", DType::kFloat32, 3},
                                         Case{"sm_90a", DType::kBFloat16, 0},
                                         Case{"sm_90a", DType::kBFloat16, 3}),
                         [](const auto& test) { return test.param.name(); });

TEST_P(KernelPtxTest, ComputesWhatTheHostDoes) {
  const auto& [architecture, dtype, guard] = GetParam();
  const std::filesystem::path folder = std::filesystem::path(PRESCRIPT_PTX_DIR) / architecture;
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "this build found no nvcc: the PTX of the kernels was not run";
  }
  const auto products = architecture == "sm_90a" ? cuda::Device::Products::kOfWarpgroups
                                                 : cuda::Device::Products::kOfWarps;
  const std::vector<Matrix> expected = run_every_kernel(dtype, guard, products);
  PtxExecutor executor(folder);
  set_executor(&executor);
  const std::vector<Matrix> found = run_every_kernel(dtype, guard, products);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_LE(tolerance::row_error(found[i], expected[i]),
              dtype == DType::kFloat32 ? kFloat32 : kBFloat16)
        << "result " << i;
  }
  EXPECT_GT(executor.num_run(), 20U);
}

/// What the parser says of a kernel of these instructions; empty where it knows them.
std::string refusal(const std::string& instructions) {
  const std::string text =
      ".version 9.0\n.target sm_90\n.address_size 64\n.entry kernel()\n{\n.reg .b32 %r<3>;\n" +
      instructions + "\nret;\n}\n";
  try {
    parse_ptx(text, "kernel.ptx");
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

TEST(KernelPtxParserTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("add.s32 %r0, %r1, -4;"), "");
  EXPECT_EQ(refusal("madd.s32 %r0, %r1, %r2;"),
            "kernel.ptx:7: no operation madd.s32 of operands rrr");
  EXPECT_EQ(refusal("add.s32 %r0, {%r1, %r2};"),
            "kernel.ptx:7: no operation add.s32 of operands r2");
  EXPECT_EQ(refusal("add.s32 %r0, %r1, %r3;"), "kernel.ptx:7: \"%r3\" is not known");
  EXPECT_NE(refusal("bra $nowhere;"), "");
}

}  // namespace
}  // namespace prescript::emulator
