// Products of the cpu backend on every kernel that this processor runs.

#include <bit>
#include <cstring>
#include <ctime>
#include <ostream>

#include "ops/cpu_gemm.h"
#include "ops/cpu_weight.h"
#include "ops/ops_test.h"

namespace prescript {
namespace {

/// Small whole numbers: their sums of products are exact in float32, in any order.
Matrix whole_numbers(int64_t rows, int64_t cols, std::string_view name) {
  Matrix x = random_matrix(rows, cols, name, 3);
  for (double& value : x.values) value = std::round(value);
  return x;
}

/// before + dy · weight.
Matrix input_gradient(const Matrix& dy, const Matrix& weight, const Matrix& before) {
  Matrix dx = before;
  for (int64_t r = 0; r < dx.rows; ++r) {
    for (int64_t c = 0; c < dx.cols; ++c) {
      for (int64_t o = 0; o < weight.rows; ++o) dx.at(r, c) += dy.at(r, o) * weight.at(o, c);
    }
  }
  return dx;
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

/// `multiply` as its contract says, of the AVX-512 kernels' extents: what those ask of the
/// operands' layout is tested on processors without them too.
template <bool kPairs>
void plain_multiply(const uint32_t* x,
                    int64_t x_stride,
                    const uint32_t* weight,
                    int64_t units,
                    bool add,
                    float* sums) {
  constexpr int64_t kRows = 14;
  constexpr int64_t kCols = 32;
  if (!add) std::fill_n(sums, kRows * kCols, 0.0F);
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t c = 0; c < kCols; ++c) {
      for (int64_t u = 0; u < units; ++u) {
        const uint32_t a = x[u / kCols * x_stride + i * kCols + u % kCols];
        const uint32_t b = weight[u * kCols + c];
        float& sum = sums[i * kCols + c];
        if (kPairs) {
          sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
          sum += std::bit_cast<float>(a & 0xFFFF0000U) * std::bit_cast<float>(b & 0xFFFF0000U);
        } else {
          sum += std::bit_cast<float>(a) * std::bit_cast<float>(b);
        }
      }
    }
  }
}

const std::vector<cpu::GemmKernel>& kernels() {
  static const std::vector<cpu::GemmKernel> all = [] {
    std::vector<cpu::GemmKernel> kernels = cpu::gemm_kernels();
    kernels.push_back({"Plain pairs", true, 14, 32, true, &plain_multiply<true>});
    kernels.push_back({"Plain", true, 14, 32, false, &plain_multiply<false>});
    return kernels;
  }();
  return all;
}

struct Case {
  size_t kernel = 0;
  DType dtype = DType::kFloat32;
};

std::ostream& operator<<(std::ostream& out, const Case& test_case) {
  return out << kernels()[test_case.kernel].name << ' ' << name_of(test_case.dtype);
}

class GemmTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!kernel().is_supported) GTEST_SKIP() << "this processor has no " << kernel().name;
  }

  const cpu::GemmKernel& kernel() const { return kernels()[GetParam().kernel]; }
  DType dtype() const { return GetParam().dtype; }
  Workbench& bench() { return bench_; }

  /// In the layout of this kernel, over memory that holds no zeros.
  Weight put_weight(const Matrix& x) {
    Weight weight{nullptr, dtype(), x.rows, x.cols};
    weights_.push_back(ops_->allocate(weight.bytes()));
    weight.data = weights_.back().get();
    std::memset(weight.data, 0xFF, weight.bytes());
    cpu::lay_out(kernel(), reader_of(x), weight);
    return weight;
  }

  void expect_values(const Tensor& found, Matrix expected) {
    if (found.dtype == DType::kBFloat16) {
      for (double& value : expected.values) value = round_to_bf16(value);
    }
    EXPECT_EQ(bench().get(found).values, expected.values);
  }

  /// y [rows, cols] = x [rows, inner] · weightᵀ.
  void expect_product(
      int64_t rows, int64_t inner, int64_t cols, DType out, bool add, int64_t guard) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(inner) + " x " +
                 std::to_string(cols));
    const Matrix x = whole_numbers(rows, inner, "x");
    const Matrix weight = whole_numbers(cols, inner, "weight");
    const Matrix before = add ? whole_numbers(rows, cols, "before") : Matrix(rows, cols);
    const Tensor y = bench().put(before, out, guard);
    cpu::gemm(kernel(), bench().put(x, dtype(), guard), put_weight(weight), y, add);
    expect_values(y, product(x, weight, before));
    EXPECT_TRUE(bench().guards_are_intact());
  }

  /// dx [rows, cols] = dy [rows, inner] · weight.
  void expect_input_gradient(
      int64_t rows, int64_t inner, int64_t cols, DType out, bool add, int64_t guard) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(inner) + " x " +
                 std::to_string(cols));
    const Matrix dy = whole_numbers(rows, inner, "dy");
    const Matrix weight = whole_numbers(inner, cols, "weight");
    const Matrix before = add ? whole_numbers(rows, cols, "before") : Matrix(rows, cols);
    const Tensor dx = bench().put(before, out, guard);
    cpu::gemm_input_gradient(
        kernel(), bench().put(dy, dtype(), guard), put_weight(weight), dx, add);
    expect_values(dx, input_gradient(dy, weight, before));
    EXPECT_TRUE(bench().guards_are_intact());
  }

 private:
  std::unique_ptr<Ops> ops_ = make_cpu_ops(2);
  Workbench bench_{*ops_, GetParam().dtype};
  std::vector<Buffer> weights_;
};

/// Of the kernels that every processor has which the program runs on, or of those that only some
/// have.
std::vector<Case> cases(bool of_some_processors) {
  std::vector<Case> result;
  for (size_t i = 0; i < kernels().size(); ++i) {
    if (kernels()[i].name.starts_with("AVX-512") != of_some_processors) continue;
    result.push_back({i, DType::kBFloat16});
    if (!kernels()[i].takes_pairs) result.push_back({i, DType::kFloat32});
  }
  return result;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = kernels()[info.param.kernel].name;
  std::erase_if(name, [](char c) { return c == ' ' || c == '-'; });
  return name + (info.param.dtype == DType::kFloat32 ? "OnFloat32" : "OnBFloat16");
}
INSTANTIATE_TEST_SUITE_P(EveryProcessor, GemmTest, testing::ValuesIn(cases(false)), case_name);
INSTANTIATE_TEST_SUITE_P(SomeProcessors, GemmTest, testing::ValuesIn(cases(true)), case_name);

TEST_P(GemmTest, IsExactOnWholeNumbersAtEveryEdge) {
  for (const DType out : {dtype(), DType::kFloat32}) {
    for (const int64_t rows : {1, 7, 15, 43}) {
      for (const int64_t inner : {1, 2, 15, 17, 33}) {
        for (const int64_t cols : {1, 15, 17, 33, 100}) {
          for (const bool add : {false, true}) {
            expect_product(rows, inner, cols, out, add, rows % 2);
            expect_input_gradient(rows, inner, cols, out, add, rows % 2);
          }
        }
      }
    }
  }
}

TEST_P(GemmTest, IsExactOverManyBlocksOfTheSum) {
  for (const int64_t inner : {127, 129, 1023, 1024, 1025, 2049, 5000}) {
    expect_product(203, inner, 70, DType::kFloat32, inner % 2 == 0, 0);
    expect_input_gradient(203, inner, 70, DType::kFloat32, inner % 2 == 0, 0);
  }
}

TEST_P(GemmTest, IsExactWhereRowsAndWeightAreDividedAmongThreads) {
  for (const int64_t rows : {0, 3, 191, 193, 400, 1000}) {
    expect_product(rows, 40, 700, dtype(), false, 0);
    expect_input_gradient(rows, 40, 700, dtype(), false, 0);
  }
}

TEST_P(GemmTest, RangesOfAWeightAreItsParts) {
  for (const int64_t cols : {33, 40}) {
    const Matrix x = whole_numbers(9, cols, "x");
    const Matrix dy = whole_numbers(9, 70, "dy");
    const Matrix rows = whole_numbers(70, cols, "weight");
    const Weight weight = put_weight(rows);
    const Tensor y = bench().take(9, 70, DType::kFloat32);
    const Tensor dx = bench().put(Matrix(9, cols), DType::kFloat32);
    for (const auto& [begin, count] : {std::pair{0, 64}, {64, 6}}) {
      const Weight part = weight.row_range(begin, count);
      cpu::gemm(kernel(), bench().put(x, dtype()), part, y.col_range(begin, count), false);
      const Tensor dy_part = bench().put(dy, dtype()).col_range(begin, count);
      cpu::gemm_input_gradient(kernel(), dy_part, part, dx, true);
    }
    expect_values(y, product(x, rows, Matrix(9, 70)));
    expect_values(dx, input_gradient(dy, rows, Matrix(9, cols)));
  }
}

TEST_P(GemmTest, ARowDoesNotDependOnItsCompany) {
  const Matrix x = random_matrix(430, 70, "x");
  const Weight weight = put_weight(random_matrix(40, 70, "weight"));
  const Weight turned = put_weight(random_matrix(70, 40, "turned"));
  const Tensor y = bench().take(430, 40, dtype());
  const Tensor dx = bench().take(430, 40, dtype());
  cpu::gemm(kernel(), bench().put(x), weight, y, false);
  cpu::gemm_input_gradient(kernel(), bench().put(x), turned, dx, false);
  for (const int64_t row : {0, 13, 429}) {
    const Tensor alone = bench().put(x.row_range(row, 1));
    const Tensor y_alone = bench().take(1, 40, dtype());
    const Tensor dx_alone = bench().take(1, 40, dtype());
    cpu::gemm(kernel(), alone, weight, y_alone, false);
    cpu::gemm_input_gradient(kernel(), alone, turned, dx_alone, false);
    EXPECT_EQ(bench().get(y_alone).values, bench().get(y).row_range(row, 1).values);
    EXPECT_EQ(bench().get(dx_alone).values, bench().get(dx).row_range(row, 1).values);
  }
}

TEST_P(GemmTest, RowsOfALaidOutWeightCanBeReadBack) {
  for (const int64_t cols : {1, 2, 33, 64}) {
    const Matrix rows = random_matrix(70, cols, "weight");
    const Weight weight = put_weight(rows);
    for (const int64_t row : {0, 15, 16, 31, 32, 34, 35, 69}) {
      const Tensor x = bench().take(1, cols, dtype());
      cpu::copy_row(kernel(), weight, row, x);
      EXPECT_EQ(bench().get(x).values, rows.row_range(row, 1).values);
      if (row < 64) continue;
      cpu::copy_row(kernel(), weight.row_range(64, 6), row - 64, x);
      EXPECT_EQ(bench().get(x).values, rows.row_range(row, 1).values);
    }
  }
}

double seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST_P(GemmTest, TheThreadsShareTheWork) {
  const Tensor x = bench().put(random_matrix(256, 512, "x"));
  const Weight weight = put_weight(random_matrix(512, 512, "weight"));
  const Tensor y = bench().take(256, 512, dtype());
  const auto multiply = [&] { cpu::gemm(kernel(), x, weight, y, false); };
  multiply();  // starts the threads
  const double all = seconds(CLOCK_PROCESS_CPUTIME_ID);
  const double own = seconds(CLOCK_THREAD_CPUTIME_ID);
  // Where processors are busy, a thread may find that others took its items.
  double share_of_own = 1;
  for (int i = 0; i < 500 && share_of_own > 0.9; ++i) {
    multiply();
    share_of_own =
        (seconds(CLOCK_THREAD_CPUTIME_ID) - own) / (seconds(CLOCK_PROCESS_CPUTIME_ID) - all);
  }
  EXPECT_LE(share_of_own, 0.9);
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
