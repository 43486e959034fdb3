// What this processor can do, by loops that do nothing else.

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include <immintrin.h>

#include "ops/aligned.h"
#include "ops/cpu_kernels.h"
#include "ops/cpu_parallel.h"
#include "ops/ops.h"

namespace prescript {
namespace cpu {
namespace {

constexpr int kChains = 12;  // independent sums: the latency of a multiply-add times two a cycle
constexpr int kTurns = 1000;

// Each does kTurns turns of kChains multiply-adds and returns something that depends on all of
// them.

__attribute__((target("avx2,fma"))) float turn_avx2() {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_set1_ps(1);
  const __m256 a = _mm256_set1_ps(0.999F);
  for (int i = 0; i < kTurns; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, a, a);
  }
  float total = 0;
  for (const auto& sum : sums) total += _mm256_cvtss_f32(sum);
  return total;
}

__attribute__((target("avx512f"))) float turn_avx512() {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  const __m512 a = _mm512_set1_ps(0.999F);
  for (int i = 0; i < kTurns; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, a, a);
  }
  float total = 0;
  for (const auto& sum : sums) total += _mm512_cvtss_f32(sum);
  return total;
}

__attribute__((target("avx512f,avx512bf16"))) float turn_avx512_bf16() {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  __m512i a = _mm512_set1_epi32(0x3F003F00);  // pairs of 0.5
  for (int i = 0; i < kTurns; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh&>(a), reinterpret_cast<__m512bh&>(a));
    }
  }
  float total = 0;
  for (const auto& sum : sums) total += _mm512_cvtss_f32(sum);
  return total;
}

struct Loop {
  float (*turn)();
  double flops;  // of one call
};

Loop register_loop(const GemmKernel& kernel) {
  if (kernel.takes_pairs) return {turn_avx512_bf16, 4.0 * 16 * kChains * kTurns};
  if (kernel.cols == 32) return {turn_avx512, 2.0 * 16 * kChains * kTurns};
  return {turn_avx2, 2.0 * 8 * kChains * kTurns};
}

/// FLOP/s of all threads, each of which calls what `make` returns for so many seconds.
template <typename Make>
double measure(double seconds, const Make& make) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates(static_cast<size_t>(num_threads()));
  parallel_for(0, std::ssize(rates), 1, [&](int64_t first, int64_t last) {
    for (int64_t thread = first; thread < last; ++thread) {
      const auto work = make();
      double flops = 0;
      const auto start = Clock::now();
      std::chrono::duration<double> passed{};
      while ((passed = Clock::now() - start).count() < seconds) flops += work();
      rates[thread] = flops / passed.count();
    }
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

/// Tiles of the product kernel on operands of zeros in the first-level cache.
class CachedTiles {
 public:
  explicit CachedTiles(const GemmKernel& kernel) : kernel_(kernel) {
    std::fill_n(x_.get(), kernel.rows * kTerms, 0);
    std::fill_n(weight_.get(), kernel.cols * kTerms, 0);
    std::fill_n(sums_.get(), kernel.rows * kernel.cols, 0.0F);
  }

  /// Multiplies for a while; returns the FLOPs of it.
  double operator()() const {
    constexpr int kTiles = 100;
    for (int i = 0; i < kTiles; ++i) {
      kernel_.multiply(
          x_.get(), kernel_.rows * kernel_.cols, weight_.get(), kTerms, true, sums_.get());
    }
    const int64_t elements = kernel_.takes_pairs ? 2 : 1;
    return 2.0 * kTiles * static_cast<double>(elements * kernel_.rows * kernel_.cols * kTerms);
  }

 private:
  const GemmKernel& kernel_;
  Aligned<uint32_t> x_ = allocate<uint32_t>(kernel_.rows * kTerms);
  Aligned<uint32_t> weight_ = allocate<uint32_t>(kernel_.cols * kTerms);
  Aligned<float> sums_ = allocate<float>(kernel_.rows * kernel_.cols);
};

}  // namespace
}  // namespace cpu

double measure_cpu_peak(DType dtype, double seconds) {
  const cpu::GemmKernel& kernel = cpu::gemm_kernel(dtype);
  const cpu::Loop loop = cpu::register_loop(kernel);
  volatile float keep = 0;
  const double in_registers = cpu::measure(seconds / 2, [&] {
    return [&] {
      keep = loop.turn();
      return loop.flops;
    };
  });
  const double in_cache = cpu::measure(seconds / 2, [&] { return cpu::CachedTiles(kernel); });
  return std::max(in_registers, in_cache);
}

}  // namespace prescript
