// Every kernel of the cpu backend's products that this processor runs.

#include <ctime>
#include <ostream>

#include "ops/cpu_gemm.h"
#include "ops/ops_test.h"

namespace prescript {
namespace {

/// Small whole numbers: their sums of products are exact in float32, in any order.
Matrix whole_numbers(int64_t rows, int64_t cols, std::string_view name) {
  Matrix x = random_matrix(rows, cols, name, 3);
  for (double& value : x.values) value = std::round(value);
  return x;
}

Matrix transposed(const Matrix& x) {
  Matrix y(x.cols, x.rows);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t c = 0; c < x.cols; ++c) y.at(c, r) = x.at(r, c);
  }
  return y;
}

/// before + x · weightᵀ.
Matrix product(const Matrix& x, const Matrix& weight, const Matrix& before) {
  Matrix y = before;
  for (int64_t r = 0; r < y.rows; ++r) {
    for (int64_t c = 0; c < y.cols; ++c) {
      for (int64_t i = 0; i < x.cols; ++i) y.at(r, c) += x.at(r, i) * weight.at(c, i);
    }
  }
  return y;
}

struct Case {
  size_t kernel = 0;
  DType dtype = DType::kFloat32;
};

std::ostream& operator<<(std::ostream& out, const Case& test_case) {
  return out << cpu::gemm_kernels()[test_case.kernel].name << ' ' << name_of(test_case.dtype);
}

class GemmTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!kernel().is_supported) GTEST_SKIP() << "this processor has no " << kernel().name;
  }

  const cpu::GemmKernel& kernel() const { return cpu::gemm_kernels()[GetParam().kernel]; }
  DType dtype() const { return GetParam().dtype; }
  Workbench& bench() { return bench_; }

  void expect_product(
      int64_t rows, int64_t inner, int64_t cols, DType out, bool add, int64_t guard) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(inner) + " x " +
                 std::to_string(cols));
    const Matrix x = whole_numbers(rows, inner, "x");
    const Matrix weight = whole_numbers(cols, inner, "weight");
    const Matrix before = add ? whole_numbers(rows, cols, "before") : Matrix(rows, cols);
    Matrix expected = product(x, weight, before);
    if (out == DType::kBFloat16) {
      for (double& value : expected.values) value = round_to_bf16(value);
    }
    for (const auto side : {cpu::WeightSide::kRows, cpu::WeightSide::kColumns}) {
      const Matrix stored = side == cpu::WeightSide::kRows ? weight : transposed(weight);
      const Tensor y = bench().put(before, out, guard);
      cpu::gemm(kernel(),
                bench().put(x, dtype(), guard),
                bench().put(stored, dtype(), guard),
                side,
                y,
                add);
      EXPECT_EQ(bench().get(y).values, expected.values);
    }
    EXPECT_TRUE(bench().guards_are_intact());
  }

 private:
  std::unique_ptr<Ops> ops_ = make_test_cpu_ops();
  Workbench bench_{*ops_, GetParam().dtype};
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (size_t i = 0; i < cpu::gemm_kernels().size(); ++i) {
    all.push_back({i, DType::kBFloat16});
    if (!cpu::gemm_kernels()[i].takes_pairs) all.push_back({i, DType::kFloat32});
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = cpu::gemm_kernels()[info.param.kernel].name;
  std::erase_if(name, [](char c) { return c == ' ' || c == '-'; });
  return name + (info.param.dtype == DType::kFloat32 ? "OnFloat32" : "OnBFloat16");
}
INSTANTIATE_TEST_SUITE_P(Every, GemmTest, testing::ValuesIn(cases()), case_name);

TEST_P(GemmTest, IsExactOnWholeNumbersAtEveryEdge) {
  for (const DType out : {dtype(), DType::kFloat32}) {
    for (const bool add : {false, true}) {
      for (const int64_t rows : {1, 7, 15, 43}) {
        for (const int64_t inner : {1, 2, 15, 17, 33}) {
          for (const int64_t cols : {1, 15, 17, 33, 100}) {
            expect_product(rows, inner, cols, out, add, rows % 2);
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, IsExactOverManyBlocksOfTheSum) {
  for (const int64_t inner : {1023, 1024, 1025, 2049, 5000}) {
    expect_product(203, inner, 70, DType::kFloat32, false, 0);
  }
}

TEST_P(GemmTest, ARowDoesNotDependOnItsCompany) {
  const Matrix x = random_matrix(50, 70, "x");
  const Tensor weight = bench().put(random_matrix(40, 70, "weight"));
  const Tensor together = bench().take(50, 40, dtype());
  cpu::gemm(kernel(), bench().put(x), weight, cpu::WeightSide::kRows, together, false);
  for (const int64_t row : {0, 13, 49}) {
    const Tensor alone = bench().take(1, 40, dtype());
    cpu::gemm(
        kernel(), bench().put(x.row_range(row, 1)), weight, cpu::WeightSide::kRows, alone, false);
    EXPECT_EQ(bench().get(alone).values, bench().get(together).row_range(row, 1).values);
  }
}

double seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST_P(GemmTest, TheThreadsShareTheWork) {
  const Tensor x = bench().put(random_matrix(256, 512, "x"));
  const Tensor weight = bench().put(random_matrix(512, 512, "weight"));
  const Tensor y = bench().take(256, 512, dtype());
  const auto multiply = [&] { cpu::gemm(kernel(), x, weight, cpu::WeightSide::kRows, y, false); };
  multiply();  // starts the threads
  const double all = seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double own = seconds(CLOCK_THREAD_CPUTIME_ID);
  for (int i = 0; i < 20; ++i) multiply();
  EXPECT_LT(seconds(CLOCK_THREAD_CPUTIME_ID) - own,
            0.9 * (seconds(CLOCK_PROCESS_CPUTIME_ID) - all));
}

TEST(Gemm, TakesTheFastestKernelOfTheProcessor) {
  const auto& float32 = cpu::gemm_kernel(DType::kFloat32);
  const auto& bfloat16 = cpu::gemm_kernel(DType::kBFloat16);
  EXPECT_TRUE(float32.is_supported);
  EXPECT_TRUE(bfloat16.is_supported);
  EXPECT_FALSE(float32.takes_pairs);
  EXPECT_EQ(bfloat16.takes_pairs, cpu::gemm_kernels().front().is_supported);
}

}  // namespace
}  // namespace prescript
