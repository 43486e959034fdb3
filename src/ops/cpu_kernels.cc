#include "ops/cpu_kernels.h"

#include <algorithm>

#include <immintrin.h>

#include "base/error.h"

namespace prescript::cpu {
namespace {

// 12 of 16 registers hold sums.
__attribute__((target("avx2,fma"))) void multiply_avx2(const uint32_t* x,
                                                       int64_t x_stride,
                                                       const uint32_t* weight,
                                                       int64_t units,
                                                       bool add,
                                                       float* sums) {
  constexpr int64_t kRows = 6;
  constexpr int64_t kCols = 16;
  const auto* a = reinterpret_cast<const float*>(x);
  const auto* w = reinterpret_cast<const float*>(weight);
  __m256 tile[kRows][2];
#pragma GCC unroll 6
  for (int64_t i = 0; i < kRows; ++i) tile[i][0] = tile[i][1] = _mm256_setzero_ps();
  for (; units > 0; units -= kCols, a += x_stride) {
    const int64_t lanes = std::min(kCols, units);
    for (int64_t lane = 0; lane < lanes; ++lane, w += kCols) {
      const __m256 w0 = _mm256_load_ps(w);
      const __m256 w1 = _mm256_load_ps(w + 8);
#pragma GCC unroll 6
      for (int64_t i = 0; i < kRows; ++i) {
        const __m256 ai = _mm256_broadcast_ss(a + i * kCols + lane);
        tile[i][0] = _mm256_fmadd_ps(ai, w0, tile[i][0]);
        tile[i][1] = _mm256_fmadd_ps(ai, w1, tile[i][1]);
      }
    }
  }
  if (add) {
#pragma GCC unroll 6
    for (int64_t i = 0; i < kRows; ++i) {
      tile[i][0] = _mm256_add_ps(_mm256_load_ps(sums + i * kCols), tile[i][0]);
      tile[i][1] = _mm256_add_ps(_mm256_load_ps(sums + i * kCols + 8), tile[i][1]);
    }
  }
#pragma GCC unroll 6
  for (int64_t i = 0; i < kRows; ++i, sums += kCols) {
    _mm256_store_ps(sums, tile[i][0]);
    _mm256_store_ps(sums + 8, tile[i][1]);
  }
}

#define PRESCRIPT_AVX512 __attribute__((target("avx512f,avx512bf16")))

template <bool kPairs>
PRESCRIPT_AVX512 inline __m512 multiply_add(__m512 sum, __m512i a, __m512i b) {
  if constexpr (kPairs) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh&>(a), reinterpret_cast<__m512bh&>(b));
  } else {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
  }
}

// 28 of 32 registers hold sums.
template <bool kPairs>
PRESCRIPT_AVX512 void multiply_avx512(const uint32_t* x,
                                      int64_t x_stride,
                                      const uint32_t* weight,
                                      int64_t units,
                                      bool add,
                                      float* sums) {
  constexpr int64_t kRows = 14;
  constexpr int64_t kCols = 32;
  __m512 tile[kRows][2];
#pragma GCC unroll 14
  for (int64_t i = 0; i < kRows; ++i) tile[i][0] = tile[i][1] = _mm512_setzero_ps();
  for (; units > 0; units -= kCols, x += x_stride) {
    const int64_t lanes = std::min(kCols, units);
    for (int64_t lane = 0; lane < lanes; ++lane, weight += kCols) {
      const __m512i w0 = _mm512_load_si512(weight);
      const __m512i w1 = _mm512_load_si512(weight + 16);
#pragma GCC unroll 14
      for (int64_t i = 0; i < kRows; ++i) {
        const __m512i a = _mm512_set1_epi32(static_cast<int>(x[i * kCols + lane]));
        tile[i][0] = multiply_add<kPairs>(tile[i][0], a, w0);
        tile[i][1] = multiply_add<kPairs>(tile[i][1], a, w1);
      }
    }
  }
  if (add) {
#pragma GCC unroll 14
    for (int64_t i = 0; i < kRows; ++i) {
      tile[i][0] = _mm512_add_ps(_mm512_load_ps(sums + i * kCols), tile[i][0]);
      tile[i][1] = _mm512_add_ps(_mm512_load_ps(sums + i * kCols + 16), tile[i][1]);
    }
  }
#pragma GCC unroll 14
  for (int64_t i = 0; i < kRows; ++i, sums += kCols) {
    _mm512_store_ps(sums, tile[i][0]);
    _mm512_store_ps(sums + 16, tile[i][1]);
  }
}

}  // namespace

const std::vector<GemmKernel>& gemm_kernels() {
  static const std::vector<GemmKernel> kernels = [] {
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = __builtin_cpu_supports("avx512f");
    const bool pairs = avx512 && __builtin_cpu_supports("avx512bf16");
    return std::vector<GemmKernel>{
        {"AVX-512 BF16", pairs, 14, 32, true, &multiply_avx512<true>},
        {"AVX-512", avx512, 14, 32, false, &multiply_avx512<false>},
        {"AVX2", avx2, 6, 16, false, &multiply_avx2},
    };
  }();
  return kernels;
}

const GemmKernel& gemm_kernel(DType dtype) {
  for (const GemmKernel& kernel : gemm_kernels()) {
    const bool fits = !kernel.takes_pairs || dtype == DType::kBFloat16;
    if (kernel.is_supported && fits) return kernel;
  }
  throw DeviceError("this processor has no AVX2; the cpu backend needs it");
}

}  // namespace prescript::cpu
