#pragma once
// Products of a warpgroup (wgmma, sm_90a alone): the part of cuda/portable.cuh that nvcc sees.
// tests/emulator/warpgroup.h is its model.

#include <cstdint>

namespace prescript::cuda {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool kHasWarpgroups = true;
#else
constexpr bool kHasWarpgroups = false;
#endif

/// Ends a thread that must not be where it is, and with it the launch.
__device__ __forceinline__ void trap() {
  asm volatile("trap;");
}

/// Barrier `barrier` (1 to 15) opens when `num_threads` threads, whole warps of them, have come to
/// it; what they did to memory before is seen by those that wait. One that only arrives goes on.
__device__ __forceinline__ void barrier_wait(int barrier, int num_threads) {
  asm volatile("barrier.cta.sync.aligned %0, %1;" ::"r"(barrier), "r"(num_threads) : "memory");
}
__device__ __forceinline__ void barrier_arrive(int barrier, int num_threads) {
  asm volatile("barrier.cta.arrive.aligned %0, %1;" ::"r"(barrier), "r"(num_threads) : "memory");
}

/// Registers that each thread of a warpgroup has from here on, a multiple of 8: fewer than before,
/// or more once others have given back as many.
template <int kRegisters>
__device__ __forceinline__ void give_registers_back() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// What this thread wrote to shared memory, copies that it waited for among it, is seen by the
/// products that start behind the next barrier.
__device__ __forceinline__ void publish_to_products() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// A tile in shared memory as products read it, in panels of 64 bfloat16 columns: rows of a panel
/// are 128 bytes each, and 16-byte unit u of row r lies where unit u ^ (r % 8) would. `tile` is a
/// multiple of 1024. Panels are `panel_bytes` apart. What is added to it, in bytes / 16, moves it
/// by 8 rows (64), by a panel, or by 16 columns (2) where it is read by rows.
__device__ __forceinline__ uint64_t describe_tile(const void* tile, int panel_bytes) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  constexpr uint64_t kEightRows = uint64_t{1024 / 16} << 32;
  return kSwizzle128 | kEightRows | static_cast<uint64_t>(panel_bytes / 16) << 16 |
         shared_address(tile) / 16;
}

/// Before the first product, and between a change of a register and the product that reads it.
__device__ __forceinline__ void products_begin() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
/// Products since the last one are a group.
__device__ __forceinline__ void products_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Keeps the compiler from moving reads and writes of `d` over this place.
template <int kTiles>
__device__ __forceinline__ void hold(float (&d)[kTiles][4]) {
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int c = 0; c < 4; ++c) asm volatile("" : "+f"(d[i][c])::"memory");
  }
}

/// Waits until at most `kPending` of the latest groups are under way; `sums` are ready then.
template <int kPending, typename... Sums>
__device__ __forceinline__ void products_wait(Sums&... sums) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  (hold(sums), ...);
}

#define TILE_SUMS(i) "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
#define FOUR_TILE_SUMS(i) TILE_SUMS(i), TILE_SUMS(i + 1), TILE_SUMS(i + 2), TILE_SUMS(i + 3)

/// d[64, 8·kTiles] += a[64, 16] · b[16, 8·kTiles] over a warpgroup (128 threads), bfloat16 with
/// float32 sums, or = where !`adds`; behind the thread's back until it waits. Warp w of the group
/// has rows 16w to 16w + 15, in which d[i] is what multiply_add has of columns 8i to 8i + 7. a is
/// 64 rows of a tile, or in registers as multiply_add has it. b is a tile whose rows are its
/// columns or, with kByColumns, one whose rows are its rows.
template <bool kByColumns>
__device__ __forceinline__ void multiply_tiles(float (&d)[8][4],
                                               uint64_t a,
                                               uint64_t b,
                                               bool adds) {
  asm volatile(
      "{\n.reg .pred adds;\nsetp.ne.b32 adds, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, adds, 1, 1, 0, %35;\n}\n"
      : FOUR_TILE_SUMS(0), FOUR_TILE_SUMS(4)
      : "l"(a), "l"(b), "r"(adds ? 1 : 0), "n"(kByColumns ? 1 : 0));
}
template <bool kByColumns>
__device__ __forceinline__ void multiply_tiles(float (&d)[8][4],
                                               const uint32_t (&a)[4],
                                               uint64_t b,
                                               bool adds) {
  asm volatile(
      "{\n.reg .pred adds;\nsetp.ne.b32 adds, %37, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, {%32, %33, %34, %35}, %36, adds, 1, 1, %38;\n}\n"
      : FOUR_TILE_SUMS(0), FOUR_TILE_SUMS(4)
      : "r"(a[0]),
        "r"(a[1]),
        "r"(a[2]),
        "r"(a[3]),
        "l"(b),
        "r"(adds ? 1 : 0),
        "n"(kByColumns ? 1 : 0));
}
template <bool kByColumns>
__device__ __forceinline__ void multiply_tiles(float (&d)[16][4],
                                               uint64_t a,
                                               uint64_t b,
                                               bool adds) {
  asm volatile(
      "{\n.reg .pred adds;\nsetp.ne.b32 adds, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, %64, %65, adds, 1, 1, 0, %67;\n}\n"
      : FOUR_TILE_SUMS(0), FOUR_TILE_SUMS(4), FOUR_TILE_SUMS(8), FOUR_TILE_SUMS(12)
      : "l"(a), "l"(b), "r"(adds ? 1 : 0), "n"(kByColumns ? 1 : 0));
}
template <bool kByColumns>
__device__ __forceinline__ void multiply_tiles(float (&d)[16][4],
                                               const uint32_t (&a)[4],
                                               uint64_t b,
                                               bool adds) {
  asm volatile(
      "{\n.reg .pred adds;\nsetp.ne.b32 adds, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, {%64, %65, %66, %67}, %68, adds, 1, 1, %70;\n}\n"
      : FOUR_TILE_SUMS(0), FOUR_TILE_SUMS(4), FOUR_TILE_SUMS(8), FOUR_TILE_SUMS(12)
      : "r"(a[0]),
        "r"(a[1]),
        "r"(a[2]),
        "r"(a[3]),
        "l"(b),
        "r"(adds ? 1 : 0),
        "n"(kByColumns ? 1 : 0));
}

#undef FOUR_TILE_SUMS
#undef TILE_SUMS

}  // namespace prescript::cuda
