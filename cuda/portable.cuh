#pragma once
// The only door from a kernel to the machine. Compiled by nvcc the primitives are CUDA and inline
// PTX; compiled by a host compiler they are modelled, as PTX ISA 8.x defines them, by
// tests/emulator, where every thread is a fiber.
//
// A kernel uses these, blockIdx/threadIdx/blockDim/gridDim, __syncthreads, __syncwarp,
// __shfl_sync/__shfl_xor_sync/__shfl_down_sync/__shfl_up_sync, <cmath> functions of float, and
// nothing else: a raw __shared__ or <<<>>> does not compile on the host.

#include <cstdint>

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "cuda/check_launch.h"

/// A shared array: SHARED_ARRAY(float, sums, [kWarps]).
#define SHARED_ARRAY(T, name, dims) __shared__ __align__(16) T name dims

/// The dynamic shared memory of the block, as bytes aligned to 1024.
#define DYNAMIC_SHARED(name) extern __shared__ __align__(1024) unsigned char name[]

/// Launches `kernel` (in parentheses where it has several template arguments) and throws
/// DeviceError where the machine refuses.
#define LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                    \
  do {                                                                            \
    const auto launched_kernel = kernel;                                          \
    ::prescript::cuda::allow_shared(                                              \
        reinterpret_cast<const void*>(launched_kernel), (shared_bytes), #kernel); \
    launched_kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__);  \
    ::prescript::cuda::check_launch(#kernel);                                     \
  } while (false)

namespace prescript::cuda {

/// Compute capability times ten that the device's code is compiled for; 0 in the host's.
#ifdef __CUDA_ARCH__
constexpr int kArchitecture = __CUDA_ARCH__ / 10;
#else
constexpr int kArchitecture = 0;
#endif

using bf16 = __nv_bfloat16;

__device__ __forceinline__ float to_float(bf16 x) {
  return __bfloat162float(x);
}
/// Rounds to nearest even.
__device__ __forceinline__ bf16 to_bf16(float x) {
  return __float2bfloat16_rn(x);
}

/// Two bfloat16 in a register, `low` in the lower half.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

/// 2^x to some units in the last place; what is below the smallest normal number is 0.
__device__ __forceinline__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Writes 8 or 16 bytes of global memory, at a multiple of as many, in one instruction: left to
/// itself, the compiler may write a vector element by element.
__device__ __forceinline__ void store_words(uint2 words, void* to) {
  asm volatile("st.global.v2.u32 [%0], {%1,%2};" ::"l"(__cvta_generic_to_global(to)),
               "r"(words.x),
               "r"(words.y)
               : "memory");
}
__device__ __forceinline__ void store_words(uint4 words, void* to) {
  asm volatile("st.global.v4.u32 [%0], {%1,%2,%3,%4};" ::"l"(__cvta_generic_to_global(to)),
               "r"(words.x),
               "r"(words.y),
               "r"(words.z),
               "r"(words.w)
               : "memory");
}

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// Copies 16 bytes from global to shared memory behind the thread's back; zeros where !`exists`,
/// and then `from` is not read. Both addresses must be multiples of 16.
__device__ __forceinline__ void copy_async_16(void* to, const void* from, bool exists) {
  const int bytes = exists ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
               "l"(from),
               "r"(bytes)
               : "memory");
}
__device__ __forceinline__ void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most `kPending` of this thread's latest groups are under way.
template <int kPending>
__device__ __forceinline__ void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// Four 8x8 matrices of 16-bit elements; lane l names row l % 8 of matrix l / 8 (16 bytes in shared
/// memory). Element (i, 2j), (i, 2j + 1) of matrix m go to lane 4i + j, register m.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
/// The same, each matrix transposed.
__device__ __forceinline__ void load_matrices_transposed(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

/// d[16, 8] += a[16, 16] · b[16, 8] over a warp, bfloat16 with float32 sums (mma.m16n8k16). With
/// g = lane / 4, t = 2 · (lane % 4): d = (g, t), (g, t+1), (g+8, t), (g+8, t+1); a = pairs at
/// (g, t), (g+8, t), (g, t+8), (g+8, t+8); b0, b1 = pairs (t, t+1) and (t+8, t+9) of column g.
__device__ __forceinline__ void multiply_add(float (&d)[4],
                                             const uint32_t (&a)[4],
                                             uint32_t b0,
                                             uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
      "{%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace prescript::cuda

#include "cuda/portable_warpgroup.cuh"

#else

#include "emulator/device_code.h"

#endif
