#pragma once
// The host's half of cuda/portable.cuh: the language of CUDA and our primitives for a host
// compiler. Compile such code with -Wno-unknown-pragmas (#pragma unroll) and link
// prescript_emulator.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "emulator/cuda_types.h"
#include "emulator/runtime.h"
#include "emulator/warp.h"
#include "emulator/warpgroup.h"

// The names are CUDA's.
// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier)

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// Left alone, a host compiler would take it for a variable of each thread.
#define __shared__ static_assert(false, "use SHARED_ARRAY or DYNAMIC_SHARED");

#define threadIdx (::prescript::emulator::running->index)
#define blockIdx (::prescript::emulator::running->block)
#define blockDim (::prescript::emulator::running_block)
#define gridDim (::prescript::emulator::running_grid)
inline constexpr int warpSize = 32;

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  prescript::emulator::wait_for_block({file, line});
}

template <typename T>
T __ldg(const T* address) {
  return *address;
}

// nvcc's are approximations, these are not: tolerances must allow for both.
inline float rsqrtf(float x) {
  return 1.0F / std::sqrt(x);
}
inline float __expf(float x) {
  return std::exp(x);
}
inline float __logf(float x) {
  return std::log(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return std::fma(x, y, z);
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline float __frcp_rn(float x) {
  return 1.0F / x;
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __fsqrt_rn(float x) {
  return std::sqrt(x);
}
inline float __saturatef(float x) {
  return x > 0 ? std::fmin(x, 1.0F) : 0.0F;
}

inline unsigned __float_as_uint(float x) {
  return std::bit_cast<unsigned>(x);
}
inline float __uint_as_float(unsigned x) {
  return std::bit_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline unsigned __umulhi(unsigned x, unsigned y) {
  return static_cast<unsigned>(uint64_t{x} * y >> 32);
}

template <typename T>
requires std::is_arithmetic_v<T>
constexpr T min(T x, T y) {
  return y < x ? y : x;
}
template <typename T>
requires std::is_arithmetic_v<T>
constexpr T max(T x, T y) {
  return x < y ? y : x;
}

#define SHARED_ARRAY(T, name, dims)                 \
  using name##_array = T dims;                      \
  static char name##_site;                          \
  name##_array& name = *static_cast<name##_array*>( \
      ::prescript::emulator::shared_array(&name##_site, sizeof(name##_array), #name))

#define DYNAMIC_SHARED(name) \
  unsigned char* const name = static_cast<unsigned char*>(::prescript::emulator::dynamic_shared())

#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                  \
  do {                                                                          \
    static_cast<void>(stream);                                                  \
    ::prescript::emulator::launch(                                              \
        #kernel, kernel, grid, block, shared_bytes __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)

namespace prescript::emulator {

/// What LAUNCH does: every thread calls the kernel with copies of the same parameters.
template <typename... Parameters, typename... Arguments>
void launch(const char* name,
            void (*kernel)(Parameters...),
            dim3 grid,
            dim3 block,
            size_t shared_bytes,
            Arguments&&... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...));
  const std::tuple<Parameters...> parameters(static_cast<Parameters>(arguments)...);
  Launch description{name, reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, {}};
  std::apply(
      [&](const auto&... parameter) {
        description.parameters = {{static_cast<const void*>(&parameter), sizeof parameter}...};
      },
      parameters);
  run_launch(description, [&] { std::apply(kernel, parameters); });
}

}  // namespace prescript::emulator

namespace prescript::cuda {

constexpr int kArchitecture = 0;

/// The upper half of a float32, as __nv_bfloat16: numbers are made and read by functions only.
struct bf16 {
  uint16_t bits;
};

inline float to_float(bf16 x) {
  return std::bit_cast<float>(uint32_t{x.bits} << 16);
}

/// Rounds to nearest even; what is not a number becomes the one of bits 0x7FFF, as on the device.
inline bf16 to_bf16(float x) {
  if (std::isnan(x)) return {0x7FFF};
  const auto bits = std::bit_cast<uint32_t>(x);
  return {static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

inline float power_of_two(float x) {
  return std::exp2(x);
}

inline uint32_t pack_bf16(float low, float high) {
  return uint32_t{to_bf16(high).bits} << 16 | to_bf16(low).bits;
}

template <typename Words>
void store_words(Words words, void* to) {
  if (reinterpret_cast<uintptr_t>(to) % sizeof words != 0) emulator::fail("store_words: unaligned");
  std::memcpy(to, &words, sizeof words);
}

inline void copy_async_16(void* to,
                          const void* from,
                          bool exists,
                          const char* file = __builtin_FILE(),
                          int line = __builtin_LINE()) {
  emulator::copy_async(to, from, exists, {file, line});
}
inline void copy_async_commit() {
  emulator::copy_async_commit();
}
template <int kPending>
void copy_async_wait() {
  emulator::copy_async_wait(kPending);
}

inline void load_matrices(uint32_t (&r)[4],
                          const void* row,
                          const char* file = __builtin_FILE(),
                          int line = __builtin_LINE()) {
  emulator::load_matrices(r, row, false, {file, line});
}
inline void load_matrices_transposed(uint32_t (&r)[4],
                                     const void* row,
                                     const char* file = __builtin_FILE(),
                                     int line = __builtin_LINE()) {
  emulator::load_matrices(r, row, true, {file, line});
}

inline void multiply_add(float (&d)[4],
                         const uint32_t (&a)[4],
                         uint32_t b0,
                         uint32_t b1,
                         const char* file = __builtin_FILE(),
                         int line = __builtin_LINE()) {
  emulator::multiply_add(d, a, b0, b1, {file, line});
}

// --- products of warpgroups ---

constexpr bool kHasWarpgroups = true;

[[noreturn]] inline void trap() {
  emulator::fail("trap");
}

inline void barrier_wait(int barrier,
                         int num_threads,
                         const char* file = __builtin_FILE(),
                         int line = __builtin_LINE()) {
  emulator::come_to_barrier(barrier, num_threads, true, {file, line});
}
inline void barrier_arrive(int barrier,
                           int num_threads,
                           const char* file = __builtin_FILE(),
                           int line = __builtin_LINE()) {
  emulator::come_to_barrier(barrier, num_threads, false, {file, line});
}

template <int kRegisters>
void give_registers_back() {
  emulator::change_registers(kRegisters);
}
template <int kRegisters>
void take_registers() {
  emulator::change_registers(kRegisters);
}

inline void publish_to_products() {
  emulator::publish_to_products();
}
inline uint64_t describe_tile(const void* tile, int panel_bytes) {
  return emulator::describe_tile(tile, panel_bytes);
}
inline void products_begin() {
  emulator::products_begin();
}
inline void products_commit() {
  emulator::products_commit();
}
template <int kPending, typename... Sums>
void products_wait(Sums&... /*sums*/) {
  emulator::products_wait(kPending, {"products_wait", kPending});
}

template <int kTiles>
emulator::TileProduct product_into(float (&d)[kTiles][4], uint64_t b, bool by_columns, bool adds) {
  emulator::TileProduct product;
  product.num_columns = size_t{8} * kTiles;
  for (auto& tile : d) {
    for (float& sum : tile) product.sums.places.push_back(&sum);
  }
  product.b_tile = b;
  product.by_columns = by_columns;
  product.adds = adds;
  return product;
}

template <bool kByColumns, int kTiles>
void multiply_tiles(float (&d)[kTiles][4], uint64_t a, uint64_t b, bool adds) {
  emulator::TileProduct product = product_into(d, b, kByColumns, adds);
  product.a_tile = a;
  emulator::multiply_tiles(std::move(product));
}
template <bool kByColumns, int kTiles>
void multiply_tiles(float (&d)[kTiles][4], const uint32_t (&a)[4], uint64_t b, bool adds) {
  emulator::TileProduct product = product_into(d, b, kByColumns, adds);
  for (const uint32_t& pair : a) {
    product.held_a.places.push_back(const_cast<uint32_t*>(&pair));  // it is read only
  }
  emulator::multiply_tiles(std::move(product));
}

}  // namespace prescript::cuda
