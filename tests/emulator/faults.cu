#include <algorithm>
#include <cmath>
#include <numeric>

#include "cuda/portable.cuh"
#include "emulator/buffer.h"
#include "emulator/faults.h"

namespace prescript::cuda {
namespace {

using emulator::Buffer;
using Kind = emulator::RaceReport::Kind;
using Shown = PlantedFault::Shown;

constexpr unsigned kWholeWarp = 0xFFFFFFFF;

/// A buffer of 1, 2, 3, ...
class Counted : public Buffer<float> {
 public:
  explicit Counted(size_t size) : Buffer(size) { std::iota(begin(), end(), 1.0F); }
};

// --- barriers ---

__global__ void sum_block(bool is_faulty, const float* x, float* sum) {
  SHARED_ARRAY(float, of_warps, [4]);
  float part = x[threadIdx.x];
  for (int distance = 16; distance > 0; distance /= 2) {
    part += __shfl_xor_sync(kWholeWarp, part, distance);
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = part;
  if (!is_faulty) __syncthreads();
  if (threadIdx.x == 0) *sum = of_warps[0] + of_warps[1] + of_warps[2] + of_warps[3];
}

bool missing_barrier(bool is_faulty) {
  Counted x(128);
  Buffer<float> sum(1);
  LAUNCH(sum_block, 1, 128, 0, nullptr, is_faulty, x.data(), sum.data());
  return sum[0] == 128 * 129 / 2;
}

__global__ void shuffle_half(bool is_faulty, int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  results[lane] = 0;
  if (lane < 16) {
    const unsigned mask = is_faulty ? kWholeWarp : 0xFFFFU;
    results[lane] = __shfl_xor_sync(mask, lane, 1);
  }
}

bool shuffle_in_a_branch(bool is_faulty) {
  Buffer<int> results(32);
  LAUNCH(shuffle_half, 1, 32, 0, nullptr, is_faulty, results.data());
  return results[0] == 1 && results[15] == 14 && results[16] == 0;
}

__global__ void meet_in_a_branch(bool is_faulty, int* out) {
  SHARED_ARRAY(int, value, [1]);
  if (threadIdx.x < 32) {
    if (threadIdx.x == 0) value[0] = 7;
    if (is_faulty) __syncthreads();
  }
  if (!is_faulty) __syncthreads();
  if (!is_faulty) out[threadIdx.x] = value[0];
}

bool barrier_in_a_branch(bool is_faulty) {
  Buffer<int> out(64);
  LAUNCH(meet_in_a_branch, 1, 64, 0, nullptr, is_faulty, out.data());
  return out[0] == 7 && out[63] == 7;
}

/// Sums tiles of 64 numbers, which the warps read in turn: thread t adds number t + 32.
__global__ void sum_tiles(bool is_faulty, const float* x, float* sums) {
  SHARED_ARRAY(float, tile, [64]);
  float sum = 0;
  for (int i = 0; i < 4; ++i) {
    if (!is_faulty) __syncthreads();
    tile[threadIdx.x] = x[i * 64 + threadIdx.x];
    __syncthreads();
    sum += tile[(threadIdx.x + 32) % 64];
  }
  sums[threadIdx.x] = sum;
}

bool tile_overwritten(bool is_faulty) {
  Counted x(256);
  Buffer<float> sums(64);
  LAUNCH(sum_tiles, 1, 64, 0, nullptr, is_faulty, x.data(), sums.data());
  bool is_right = true;
  for (size_t t = 0; t < 64; ++t) {
    float expected = 0;
    for (size_t i = 0; i < 4; ++i) expected += x[i * 64 + (t + 32) % 64];
    is_right = is_right && sums[t] == expected;
  }
  return is_right;
}

/// The same of two tiles, one of which is copied while the other is read.
__global__ void sum_staged_tiles(bool is_faulty, const float4* x, float* sums) {
  SHARED_ARRAY(float4, tiles, [2][64]);
  const int t = static_cast<int>(threadIdx.x);
  copy_async_16(&tiles[0][t], &x[t], true);
  copy_async_commit();
  float sum = 0;
  for (int i = 0; i < 4; ++i) {
    copy_async_16(&tiles[(i + 1) % 2][t], &x[(i + 1) % 4 * 64 + t], true);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    sum += tiles[i % 2][(t + 32) % 64].x;
    if (!is_faulty) __syncthreads();
  }
  sums[t] = sum;
}

bool staged_tile_overwritten(bool is_faulty) {
  Buffer<float4> x(256);
  for (int i = 0; i < 256; ++i) x[i].x = static_cast<float>(i);
  Buffer<float> sums(64);
  LAUNCH(sum_staged_tiles, 1, 64, 0, nullptr, is_faulty, x.data(), sums.data());
  bool is_right = true;
  for (int t = 0; t < 64; ++t) {
    is_right = is_right && sums[t] == static_cast<float>(4 * ((t + 32) % 64) + 6 * 64);
  }
  return is_right;
}

/// A warp writes what another reads.
__global__ void hand_over(bool arrives, bool arrives_early, int* out) {
  SHARED_ARRAY(int, numbers, [32]);
  const unsigned lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    if (arrives && arrives_early) barrier_arrive(1, 64);
    numbers[lane] = 1;
    if (arrives && !arrives_early) barrier_arrive(1, 64);
  } else {
    barrier_wait(1, 64);
    out[lane] = numbers[31 - lane];
  }
}

bool handed_over(bool arrives, bool arrives_early) {
  Buffer<int> out(32);
  LAUNCH(hand_over, 1, 64, 0, nullptr, arrives, arrives_early, out.data());
  return std::all_of(out.begin(), out.end(), [](int x) { return x == 1; });
}
bool never_handed_over(bool is_faulty) {
  return handed_over(!is_faulty, false);
}
bool handed_over_early(bool is_faulty) {
  return handed_over(true, is_faulty);
}

template <bool kIsFaulty>
__global__ void move_registers(int* out) {
  if (threadIdx.x < 128) {
    give_registers_back<64>();
  } else {
    take_registers<kIsFaulty ? 224 : 216>();
  }
  out[threadIdx.x] = 1;
}

bool more_registers_than_there_are(bool is_faulty) {
  Buffer<int> out(384);
  LAUNCH(
      (is_faulty ? move_registers<true> : move_registers<false>), 1, 384, 0, nullptr, out.data());
  return std::all_of(out.begin(), out.end(), [](int x) { return x == 1; });
}

// --- memory ---

__global__ void double_numbers(bool is_faulty, int size, float* x) {
  for (int i = static_cast<int>(threadIdx.x); is_faulty ? i <= size : i < size; i += 32) x[i] *= 2;
}

bool beyond_global_memory(bool is_faulty) {
  Counted x(67);
  LAUNCH(double_numbers, 1, 32, 0, nullptr, is_faulty, 67, x.data());
  return x[66] == 134;
}

__global__ void shift(bool is_faulty, float* out) {
  DYNAMIC_SHARED(bytes);
  auto* numbers = reinterpret_cast<float*>(bytes);
  const unsigned t = threadIdx.x;
  numbers[t + (is_faulty ? 1 : 0)] = static_cast<float>(t);
  __syncthreads();
  out[t] = numbers[t + (is_faulty ? 1 : 0)];
}

bool beyond_shared_memory(bool is_faulty) {
  Buffer<float> out(64);
  LAUNCH(shift, 1, 64, 64 * sizeof(float), nullptr, is_faulty, out.data());
  return out[63] == 63;
}

__global__ void add_one(bool is_faulty, float* x) {
  auto* vector = reinterpret_cast<float4*>(x + (is_faulty ? 1 : 0));
  float4 value = *vector;
  value.x += 1;
  *vector = value;
}

bool misaligned_vector(bool is_faulty) {
  Counted x(8);
  LAUNCH(add_one, 1, 1, 0, nullptr, is_faulty, x.data());
  return x[is_faulty ? 1 : 0] == (is_faulty ? 3.0F : 2.0F);
}

__global__ void read_neighbours(bool is_faulty, float* out) {
  SHARED_ARRAY(float, numbers, [65]);
  numbers[threadIdx.x] = 1;
  if (!is_faulty && threadIdx.x == 0) numbers[64] = 1;
  __syncthreads();
  out[threadIdx.x] = numbers[threadIdx.x + 1];
}

bool shared_memory_never_written(bool is_faulty) {
  Buffer<float> out(64);
  LAUNCH(read_neighbours, 1, 64, 0, nullptr, is_faulty, out.data());
  return std::all_of(out.begin(), out.end(), [](float x) { return x == 1; });
}

// --- asynchronous copies and matrices ---

template <bool kIsFaulty>
__global__ void copy_through(const float4* x, float4* y) {
  SHARED_ARRAY(float4, staged, [2][32]);
  const unsigned t = threadIdx.x;
  for (int i = 0; i < 2; ++i) {
    copy_async_16(&staged[i][t], &x[i * 32 + t], true);
    copy_async_commit();
  }
  copy_async_wait<kIsFaulty ? 2 : 1>();
  y[t] = staged[0][t];
  copy_async_wait<0>();
  y[32 + t] = staged[1][t];
}

bool wait_for_too_few_copies(bool is_faulty) {
  Buffer<float4> x(64);
  for (int i = 0; i < 64; ++i) x[i] = make_float4(1, 2, 3, static_cast<float>(i));
  Buffer<float4> y(64);
  LAUNCH((is_faulty ? copy_through<true> : copy_through<false>),
         1,
         32,
         0,
         nullptr,
         x.data(),
         y.data());
  return y[31].w == 31 && y[63].w == 63;
}

__global__ void sum_halves(bool is_faulty, float* d) {
  const unsigned lane = threadIdx.x;
  const uint32_t ones = pack_bf16(1, 1);
  const uint32_t twos = pack_bf16(2, 2);
  const uint32_t a[4] = {ones, ones, 0, 0};  // the first eight columns of a
  float sums[4] = {};
  if (is_faulty) {
    multiply_add(sums, a, twos, ones);
  } else {
    multiply_add(sums, a, ones, twos);
  }
  d[lane] = sums[0];
}

bool halves_swapped(bool is_faulty) {
  Buffer<float> d(32);
  LAUNCH(sum_halves, 1, 32, 0, nullptr, is_faulty, d.data());
  return d[0] == 8;
}

// --- products of a warpgroup ---

enum class ProductFault {
  kNone,
  kNotPublished,
  kNoBarrier,
  kNotOrdered,
  kReadEarly,
  kWrittenEarly,
  kTileRewritten,
  kNotSwizzled,
};

/// d = x · xᵀ of a tile of 64 rows and columns, which its 128 threads copy.
template <ProductFault kFault>
__global__ void multiply_copied(const bf16* x, float* d) {
  DYNAMIC_SHARED(tile);
  const int t = static_cast<int>(threadIdx.x);
  const auto copy = [&](const bf16* from) {
    for (int unit = t; unit < 64 * 8; unit += 128) {
      const int row = unit / 8;
      const int place = kFault == ProductFault::kNotSwizzled ? unit % 8 : unit % 8 ^ row % 8;
      copy_async_16(tile + row * 128 + place * 16, from + unit * 8, true);
    }
    copy_async_commit();
    copy_async_wait<0>();
  };
  copy(x);
  if (kFault != ProductFault::kNotPublished) publish_to_products();
  if (kFault != ProductFault::kNoBarrier) __syncthreads();
  float sums[8][4] = {};
  if (kFault != ProductFault::kNotOrdered) products_begin();
  const uint64_t rows = describe_tile(tile, 64 * 128);
  for (int k = 0; k < 4; ++k) multiply_tiles<false>(sums, rows + k * 2, rows + k * 2, true);
  products_commit();
  if (kFault == ProductFault::kReadEarly) d[t] = sums[0][0];
  if (kFault == ProductFault::kWrittenEarly) sums[0][0] = 0;
  if (kFault == ProductFault::kTileRewritten) {
    __syncthreads();
    copy(x + 8);
  }
  products_wait<0>(sums);
  if (kFault != ProductFault::kReadEarly) d[t] = sums[0][0];
}

template <ProductFault kFault>
bool copied_and_multiplied(bool is_faulty) {
  Buffer<bf16> x(64 * 64 + 8);
  for (int i = 0; i < 64 * 64 + 8; ++i) x[i] = to_bf16(static_cast<float>(i * 7 % 13 - 6));
  Buffer<float> d(128);
  LAUNCH((is_faulty ? multiply_copied<kFault> : multiply_copied<ProductFault::kNone>),
         1,
         128,
         64 * 128,
         nullptr,
         x.data(),
         d.data());
  bool is_right = true;
  for (int t = 0; t < 128; ++t) {
    const int row = t / 32 * 16 + t % 32 / 4;
    const int col = t % 4 * 2;
    float expected = 0;
    for (int k = 0; k < 64; ++k) expected += to_float(x[row * 64 + k]) * to_float(x[col * 64 + k]);
    is_right = is_right && d[t] == expected;
  }
  return is_right;
}

// --- order within a warp and between blocks ---

__global__ void count_threads(bool is_faulty, int* out) {
  SHARED_ARRAY(int, count, [1]);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  if (is_faulty) {
    count[0] += 1;
  } else if (threadIdx.x == 0) {
    count[0] = 32;
  }
  __syncthreads();
  if (threadIdx.x == 0) *out = count[0];
}

bool counted_without_order(bool is_faulty) {
  Buffer<int> out(1);
  LAUNCH(count_threads, 1, 32, 0, nullptr, is_faulty, out.data());
  return out[0] == 32;
}

__global__ void count_blocks(bool is_faulty, int* counts) {
  if (threadIdx.x == 0) counts[is_faulty ? 0 : blockIdx.x] += 1;
}

bool blocks_without_order(bool is_faulty) {
  Buffer<int> counts(4);
  std::fill(counts.begin(), counts.end(), 0);
  LAUNCH(count_blocks, 4, 32, 0, nullptr, is_faulty, counts.data());
  return std::accumulate(counts.begin(), counts.end(), 0) == 4;
}

__global__ void sum_neighbours(bool is_faulty, int* out) {
  SHARED_ARRAY(int, numbers, [32]);
  const unsigned lane = threadIdx.x;
  numbers[lane] = 1;
  __syncwarp();
  const int neighbour = numbers[(lane + 1) % 32];
  if (!is_faulty) __syncwarp();
  numbers[lane] += neighbour;
  out[lane] = numbers[lane];
}

bool warp_without_order(bool is_faulty) {
  Buffer<int> out(32);
  LAUNCH(sum_neighbours, 1, 32, 0, nullptr, is_faulty, out.data());
  return std::all_of(out.begin(), out.end(), [](int x) { return x == 2; });
}

__global__ void shuffle_from(bool is_faulty, int* out) {
  if (threadIdx.x >= 16) return;
  const int lane = static_cast<int>(threadIdx.x);
  out[lane] = __shfl_sync(0xFFFF, lane, is_faulty ? 20 : 4);
}

bool shuffle_outside_of_its_mask(bool is_faulty) {
  Buffer<int> out(16);
  LAUNCH(shuffle_from, 1, 32, 0, nullptr, is_faulty, out.data());
  return out[0] == 4 && out[15] == 4;
}

}  // namespace

const std::vector<PlantedFault>& planted_faults() {
  static const std::vector<PlantedFault> all = {
      {"MissingBarrier",
       missing_barrier,
       Shown::kSometimes,
       "",
       {Kind::kUninitialized, Kind::kReadAfterWrite}},
      {"ShuffleInABranch",
       shuffle_in_a_branch,
       Shown::kAlways,
       "threads wait for each other for ever",
       {}},
      {"BarrierInABranch",
       barrier_in_a_branch,
       Shown::kAlways,
       "threads exited before a __syncthreads of others",
       {}},
      {"BeyondGlobalMemory",
       beyond_global_memory,
       Shown::kAlways,
       "wrote beside a buffer of 268 bytes",
       {Kind::kOutOfBounds},
       true},
      {"TileOverwritten", tile_overwritten, Shown::kAlways, "", {Kind::kWriteAfterRead}},
      {"BeyondSharedMemory",
       beyond_shared_memory,
       Shown::kAlways,
       "wrote beside a buffer of 256 bytes",
       {Kind::kOutOfBounds},
       true},
      {"WaitForTooFewCopies", wait_for_too_few_copies, Shown::kAlways, "", {}},
      {"HalvesSwapped", halves_swapped, Shown::kAlways, "", {}},
      {"StagedTileOverwritten",
       staged_tile_overwritten,
       Shown::kAlways,
       "",
       {Kind::kWriteAfterRead}},
      {"TileNotPublished",
       copied_and_multiplied<ProductFault::kNotPublished>,
       Shown::kAlways,
       "a tile that was written and not published",
       {}},
      {"TileMultipliedBeforeOthersCopied",
       copied_and_multiplied<ProductFault::kNoBarrier>,
       Shown::kSometimes,
       "a tile was written while products read it",
       {Kind::kReadAfterWrite, Kind::kWriteAfterRead, Kind::kUninitialized}},
      {"RegistersNotOrdered",
       copied_and_multiplied<ProductFault::kNotOrdered>,
       Shown::kAlways,
       "registers were not ordered before it",
       {}},
      {"SumsReadEarly", copied_and_multiplied<ProductFault::kReadEarly>, Shown::kAlways, "", {}},
      {"SumsWrittenEarly",
       copied_and_multiplied<ProductFault::kWrittenEarly>,
       Shown::kAlways,
       "a sum was written before it was waited for",
       {}},
      {"TileRewrittenEarly",
       copied_and_multiplied<ProductFault::kTileRewritten>,
       Shown::kAlways,
       "a tile was written while products read it",
       {Kind::kReadAfterWrite, Kind::kWriteAfterRead}},
      {"TileNotSwizzled",
       copied_and_multiplied<ProductFault::kNotSwizzled>,
       Shown::kAlways,
       "",
       {}},
      {"NeverHandedOver",
       never_handed_over,
       Shown::kAlways,
       "threads wait for each other for ever",
       {}},
      {"MoreRegistersThanThereAre",
       more_registers_than_there_are,
       Shown::kAlways,
       "setmaxnreg: more registers than the block began with",
       {}},
      {"HandedOverEarly", handed_over_early, Shown::kNever, "", {Kind::kReadAfterWrite}},
      {"CountedWithoutOrder", counted_without_order, Shown::kNever, "", {Kind::kReadAfterWrite}},
      {"BlocksWithoutOrder", blocks_without_order, Shown::kNever, "", {Kind::kReadAfterWrite}},
      {"WarpWithoutOrder", warp_without_order, Shown::kAlways, "", {Kind::kWriteAfterRead}},
      {"MisalignedVector", misaligned_vector, Shown::kNever, "", {}, true},
      {"ShuffleOutsideOfItsMask",
       shuffle_outside_of_its_mask,
       Shown::kAlways,
       "a shuffle reads from a lane outside its mask",
       {}},
      {"SharedMemoryNeverWritten",
       shared_memory_never_written,
       Shown::kAlways,
       "",
       {Kind::kUninitialized}},
  };
  return all;
}

}  // namespace prescript::cuda
