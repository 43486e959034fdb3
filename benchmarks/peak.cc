#include "peak.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include <immintrin.h>

#include "ops/aligned.h"
#include "ops/cpu_kernels.h"
#include "ops/ops.h"

namespace prescript::cpu {
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

/// FLOP/s of all threads, each calling what `make` returns, for a second.
template <typename Make>
double measure(int num_threads, const Make& make) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates(static_cast<size_t>(num_threads));
  std::vector<std::thread> threads;
  for (double& rate : rates) {
    threads.emplace_back([&rate, &make] {
      const auto work = make();
      double flops = 0;
      const auto start = Clock::now();
      std::chrono::duration<double> seconds{};
      while ((seconds = Clock::now() - start).count() < 1) flops += work();
      rate = flops / seconds.count();
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

double measure_peak(DType dtype) {
  const GemmKernel& kernel = gemm_kernel(dtype);
  const int num_threads = default_num_threads();
  const Loop loop = register_loop(kernel);
  volatile float keep = 0;
  const double in_registers = measure(num_threads, [&] {
    return [&] {
      keep = loop.turn();
      return loop.flops;
    };
  });
  const double elements = kernel.takes_pairs ? 2 : 1;
  const double tile_flops =
      2.0 * elements * static_cast<double>(kernel.rows * kernel.cols * kTerms);
  const double in_cache = measure(num_threads, [&] {
    auto x = allocate<uint32_t>(kernel.rows * kTerms);
    auto weight = allocate<uint32_t>(kernel.cols * kTerms);
    auto sums = allocate<float>(kernel.rows * kernel.cols);
    std::fill_n(x.get(), kernel.rows * kTerms, 0);
    std::fill_n(weight.get(), kernel.cols * kTerms, 0);
    std::fill_n(sums.get(), kernel.rows * kernel.cols, 0.0F);
    return [&kernel,
            tile_flops,
            x = std::move(x),
            weight = std::move(weight),
            sums = std::move(sums)] {
      for (int i = 0; i < 100; ++i) {
        kernel.add_tile(x.get(), kernel.rows * kernel.cols, weight.get(), kTerms, sums.get());
      }
      return 100 * tile_flops;
    };
  });
  return std::max(in_registers, in_cache);
}

}  // namespace prescript::cpu
