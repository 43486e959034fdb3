#pragma once
// What the tests of all operations share: a backend, shapes at every edge, and how far a result may
// be off.

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "support/backends.h"
#include "support/matrix.h"
#include "support/tolerance.h"

namespace prescript {

/// Row counts around those at which loops and registers end.
inline constexpr int64_t kEdgeRows[] = {0, 1, 31, 32, 33, 127, 128, 129};

/// Columns left free on either side of every tensor in half of the cases: slices start anywhere.
inline constexpr int64_t kGuards[] = {0, 3};

/// `compute`, which takes a dtype, asked once for each.
template <typename Compute>
auto once_per_dtype(Compute compute) {
  return [ compute, results = std::make_shared<std::map<DType, decltype(compute(DType{}))>>() ](
             DType type) -> const auto& {
    auto found = results->find(type);
    if (found == results->end()) found = results->emplace(type, compute(type)).first;
    return found->second;
  };
}

class OpsTest : public testing::TestWithParam<Backend> {
 protected:
  OpsTest() : ops_(GetParam().make()), bench_(*ops_, GetParam().dtype) {}

  Ops& ops() { return *ops_; }
  Workbench& bench() { return bench_; }
  DType dtype() const { return GetParam().dtype; }
  DType sums() const { return ops_->accumulate_dtype(); }

  /// Inputs as the backend stores them, beside guards.
  Tensor put(const Matrix& x, int64_t guard) { return bench_.put(x, dtype(), guard); }
  Weight put_weight(const Matrix& x) { return bench_.put_weight(x); }
  Tensor put_sums(const Matrix& x, int64_t guard = 0) { return bench_.put(x, sums(), guard); }
  Tensor put_gradient(const Matrix& x, int64_t guard = 0) {  // of K/V
    return bench_.put(x, ops_->kv_gradient_dtype(), guard);
  }

  /// `plain(dtype)` gives the same result by LibTorch's operators in any dtype: in float64 it is
  /// the oracle, in the backend's dtype the error to compare with.
  template <typename Plain>
  void expect_close(Tensor found, const Plain& plain) {
    const Matrix exact = plain(DType::kFloat64);
    const double error = tolerance::row_error(bench_.get(found), exact);
    EXPECT_LE(error, allowed(exact, plain)) << found.describe();
    EXPECT_TRUE(bench_.guards_are_intact());
  }

 private:
  template <typename Plain>
  double allowed(const Matrix& exact, const Plain& plain) const {
    switch (dtype()) {
      case DType::kFloat64:
        return tolerance::kOperationFloat64;
      case DType::kFloat32:
        return std::max(
            tolerance::kOperationFloat32,
            tolerance::kTimesPlainFloat32 * tolerance::row_error(plain(DType::kFloat32), exact));
      case DType::kBFloat16:
        break;
    }
    return tolerance::kBFloat16Floor +
           tolerance::kTimesPlainBFloat16 * tolerance::row_error(plain(DType::kBFloat16), exact);
  }

  std::unique_ptr<Ops> ops_;
  Workbench bench_;
};

}  // namespace prescript
