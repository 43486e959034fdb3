// The emulator's primitives: one kernel each, with results known beforehand.

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cuda/portable.cuh"
#include "emulator/buffer.h"
#include "emulator/schedule.h"

namespace prescript::cuda {
namespace {

using emulator::Buffer;
using emulator::KernelFault;
using testing::HasSubstr;

constexpr unsigned kAll = 0xFFFFFFFF;

__global__ void note_position(unsigned* positions) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  positions[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
}

__global__ void reverse(const int* from, int* to) {
  SHARED_ARRAY(int, staged, [64]);
  staged[threadIdx.x] = from[threadIdx.x];
  __syncthreads();
  to[threadIdx.x] = staged[63 - threadIdx.x];
}

__global__ void reverse_dynamic(const int* from, int* to) {
  DYNAMIC_SHARED(bytes);
  int* staged = reinterpret_cast<int*>(bytes);
  staged[threadIdx.x] = from[threadIdx.x];
  __syncthreads();
  to[threadIdx.x] = staged[blockDim.x - 1 - threadIdx.x];
}

__global__ void shuffle_in_all_ways(int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  results[lane] = __shfl_sync(kAll, lane, 3);
  results[32 + lane] = __shfl_sync(kAll, lane, 1, 8);
  results[64 + lane] = __shfl_xor_sync(kAll, lane, 5);
  results[96 + lane] = __shfl_down_sync(kAll, lane, 2);
  results[128 + lane] = __shfl_up_sync(kAll, lane, 2, 16);
  if (lane < 16) results[160 + lane] = __shfl_xor_sync(0xFFFF, lane, 1);
}

__global__ void vote(unsigned* results) {
  const int lane = static_cast<int>(threadIdx.x);
  results[lane] = __ballot_sync(kAll, lane % 3 == 0);
  results[32 + lane] = static_cast<unsigned>(__any_sync(kAll, lane == 7));
  results[64 + lane] = static_cast<unsigned>(__all_sync(kAll, lane != 7));
}

__global__ void exchange_within_warps(int* values) {
  SHARED_ARRAY(int, staged, [2][32]);
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  staged[warp][lane] = static_cast<int>(threadIdx.x);
  __syncwarp();
  values[threadIdx.x] = staged[warp][lane ^ 1];
}

template <int kPending>
__global__ void copy_two_groups(const float4* from, float4* to, bool* first_was_there) {
  SHARED_ARRAY(float4, staged, [2]);
  copy_async_16(&staged[0], &from[0], true);
  copy_async_commit();
  copy_async_16(&staged[1], &from[1], false);
  copy_async_commit();
  copy_async_wait<kPending>();
  *first_was_there = !std::isnan(staged[0].x);
  copy_async_wait<0>();
  to[0] = staged[0];
  to[1] = staged[1];
}

__global__ void transpose_matrices(const bf16* from, uint32_t* plain, uint32_t* transposed) {
  SHARED_ARRAY(bf16, staged, [32][8]);
  const unsigned lane = threadIdx.x;
  for (int i = 0; i < 8; ++i) staged[lane][i] = from[lane * 8 + i];
  __syncwarp();
  uint32_t r[4];
  load_matrices(r, staged[lane]);
  for (int m = 0; m < 4; ++m) plain[lane * 4 + m] = r[m];
  load_matrices_transposed(r, staged[lane]);
  for (int m = 0; m < 4; ++m) transposed[lane * 4 + m] = r[m];
}

/// d[16, 8] += a[16, 16] · b[8, 16]ᵀ, the fragments gathered by hand.
__global__ void multiply(const float* a, const float* b, float* d) {
  const size_t g = threadIdx.x / 4;
  const size_t t = size_t{threadIdx.x % 4} * 2;
  const auto pair = [](const float* row, size_t col) { return pack_bf16(row[col], row[col + 1]); };
  const uint32_t fragment[4] = {pair(a + g * 16, t),
                                pair(a + (g + 8) * 16, t),
                                pair(a + g * 16, t + 8),
                                pair(a + (g + 8) * 16, t + 8)};
  float sums[4] = {d[g * 8 + t], d[g * 8 + t + 1], d[(g + 8) * 8 + t], d[(g + 8) * 8 + t + 1]};
  multiply_add(sums, fragment, pair(b + g * 16, t), pair(b + g * 16, t + 8));
  d[g * 8 + t] = sums[0];
  d[g * 8 + t + 1] = sums[1];
  d[(g + 8) * 8 + t] = sums[2];
  d[(g + 8) * 8 + t + 1] = sums[3];
}

/// Where column `col` of row `row` of a tile of kRows rows lies, in elements.
template <int kRows>
int place_in_tile(int row, int col) {
  return col / 64 * kRows * 64 + row * 64 + (col % 64 / 8 ^ row % 8) * 8 + col % 8;
}

/// Of 128 threads: d[0] = a[64, 128] · b[64, 128]ᵀ by rows of both; d[1] = a[:, :64] · b by
/// columns, a held and added in two groups of products.
__global__ void multiply_as_a_warpgroup(const bf16* a, const bf16* b, float* d) {
  DYNAMIC_SHARED(shared);
  auto* const a_tile = reinterpret_cast<bf16*>(shared);
  bf16* const b_tile = a_tile + 64 * 128;
  const int t = static_cast<int>(threadIdx.x);
  for (int row = 0; row < 64; ++row) {
    a_tile[place_in_tile<64>(row, t)] = a[row * 128 + t];
    b_tile[place_in_tile<64>(row, t)] = b[row * 128 + t];
  }
  publish_to_products();
  __syncthreads();
  const uint64_t a_rows = describe_tile(a_tile, 64 * 128);
  const uint64_t b_rows = describe_tile(b_tile, 64 * 128);
  const int row = t / 32 * 16 + t % 32 / 4;
  const int col = t % 4 * 2;

  float by_rows[8][4];
  float by_columns[16][4] = {};
  uint32_t held[4][4];
  for (int k = 0; k < 4; ++k) {
    for (int i = 0; i < 4; ++i) {
      const bf16* const pair = a + (row + i % 2 * 8) * 128 + k * 16 + col + i / 2 * 8;
      held[k][i] = pack_bf16(to_float(pair[0]), to_float(pair[1]));
    }
  }
  products_begin();
  for (int k = 0; k < 8; ++k) {
    const int columns = k / 4 * (64 * 128 / 16) + k % 4 * 2;
    multiply_tiles<false>(by_rows, a_rows + columns, b_rows + columns, k > 0);
  }
  products_commit();
  for (int k = 0; k < 2; ++k) multiply_tiles<true>(by_columns, held[k], b_rows + k * 128, true);
  products_commit();
  for (int k = 2; k < 4; ++k) multiply_tiles<true>(by_columns, held[k], b_rows + k * 128, true);
  products_commit();
  products_wait<2>(by_rows);
  for (int i = 0; i < 8; ++i) {
    for (int c = 0; c < 4; ++c) {
      d[(row + c / 2 * 8) * 64 + i * 8 + col + c % 2] = by_rows[i][c];
    }
  }
  products_wait<0>(by_columns);
  d += 64 * 64;
  for (int i = 0; i < 16; ++i) {
    for (int c = 0; c < 4; ++c) {
      d[(row + c / 2 * 8) * 128 + i * 8 + col + c % 2] = by_columns[i][c];
    }
  }
}

class EmulatorTest : public testing::TestWithParam<emulator::Schedule> {
 protected:
  emulator::ScopedSchedule schedule_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Every,
                         EmulatorTest,
                         testing::ValuesIn(emulator::all_schedules()),
                         [](const auto& test) { return emulator::name_of(test.param); });

TEST_P(EmulatorTest, ThreadsKnowWhereTheyAre) {
  Buffer<unsigned> positions(288);
  LAUNCH(note_position, dim3(2, 3, 2), dim3(4, 2, 3), 0, nullptr, positions.data());
  for (unsigned i = 0; i < 12 * 24; ++i) EXPECT_EQ(positions[i], i / 24 * 1000 + i % 24);
}

TEST_P(EmulatorTest, ABarrierPublishesSharedMemory) {
  Buffer<int> from(64);
  Buffer<int> to(64);
  std::iota(from.begin(), from.end(), 0);
  LAUNCH(reverse, 3, 64, 0, nullptr, from.data(), to.data());
  for (int i = 0; i < 64; ++i) EXPECT_EQ(to[i], 63 - i);
  LAUNCH(reverse_dynamic, 1, 48, 48 * sizeof(int), nullptr, from.data(), to.data());
  for (int i = 0; i < 48; ++i) EXPECT_EQ(to[i], 47 - i);
}

TEST_P(EmulatorTest, ShufflesReadTheLanesThatPtxSays) {
  Buffer<int> results(192);
  LAUNCH(shuffle_in_all_ways, 1, 32, 0, nullptr, results.data());
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(results[lane], 3);
    EXPECT_EQ(results[32 + lane], lane / 8 * 8 + 1);
    EXPECT_EQ(results[64 + lane], lane ^ 5);
    EXPECT_EQ(results[96 + lane], lane < 30 ? lane + 2 : lane);
    EXPECT_EQ(results[128 + lane], lane % 16 < 2 ? lane : lane - 2);
    if (lane < 16) {
      EXPECT_EQ(results[160 + lane], lane ^ 1);
    }
  }
}

TEST_P(EmulatorTest, VotesCountEveryLane) {
  Buffer<unsigned> results(96);
  LAUNCH(vote, 1, 32, 0, nullptr, results.data());
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(results[lane], 0x49249249U);
    EXPECT_EQ(results[32 + lane], 1U);
    EXPECT_EQ(results[64 + lane], 0U);
  }
}

TEST_P(EmulatorTest, AWarpMeetsWithoutTheOthers) {
  Buffer<int> values(64);
  LAUNCH(exchange_within_warps, 1, 64, 0, nullptr, values.data());
  for (int i = 0; i < 64; ++i) EXPECT_EQ(values[i], i ^ 1);
}

TEST_P(EmulatorTest, AsynchronousCopiesLandWhenWaitedForAndNotBefore) {
  Buffer<float4> from(2);
  from[0] = make_float4(1, 2, 3, 4);
  Buffer<float4> to(2);
  Buffer<bool> was_there(1);
  LAUNCH(copy_two_groups<1>, 1, 1, 0, nullptr, from.data(), to.data(), was_there.data());
  EXPECT_TRUE(was_there[0]);
  EXPECT_EQ(to[0].w, 4);
  EXPECT_EQ(to[1].x, 0);
  LAUNCH(copy_two_groups<2>, 1, 1, 0, nullptr, from.data(), to.data(), was_there.data());
  EXPECT_FALSE(was_there[0]);
  EXPECT_EQ(to[0].w, 4);
}

TEST_P(EmulatorTest, MatricesAreDealtOutAsPtxSays) {
  Buffer<bf16> from(256);
  for (int i = 0; i < 256; ++i) from[i].bits = static_cast<uint16_t>(i);
  Buffer<uint32_t> plain(128);
  Buffer<uint32_t> transposed(128);
  LAUNCH(transpose_matrices, 1, 32, 0, nullptr, from.data(), plain.data(), transposed.data());
  for (uint32_t lane = 0; lane < 32; ++lane) {
    for (uint32_t m = 0; m < 4; ++m) {
      const uint32_t i = lane / 4;
      const uint32_t j = lane % 4 * 2;
      const uint32_t first = m * 64;
      EXPECT_EQ(plain[lane * 4 + m], (first + i * 8 + j + 1) << 16 | (first + i * 8 + j));
      EXPECT_EQ(transposed[lane * 4 + m], (first + (j + 1) * 8 + i) << 16 | (first + j * 8 + i));
    }
  }
}

TEST_P(EmulatorTest, MultiplyAddIsAProductOfMatrices) {
  Buffer<float> a(256);
  Buffer<float> b(128);
  Buffer<float> d(128);
  for (int i = 0; i < 256; ++i) a[i] = static_cast<float>(i * 7 % 31 - 15);
  for (int i = 0; i < 128; ++i) b[i] = static_cast<float>(i * 5 % 23 - 11);
  for (int i = 0; i < 128; ++i) d[i] = static_cast<float>(i);
  LAUNCH(multiply, 1, 32, 0, nullptr, a.data(), b.data(), d.data());
  for (int row = 0; row < 16; ++row) {
    for (int col = 0; col < 8; ++col) {
      auto expected = static_cast<float>(row * 8 + col);
      for (int k = 0; k < 16; ++k) expected += a[row * 16 + k] * b[col * 16 + k];
      EXPECT_EQ(d[row * 8 + col], expected);
    }
  }
}

TEST_P(EmulatorTest, ProductsOfAWarpgroupAreProductsOfMatrices) {
  Buffer<bf16> a(64 * 128);
  Buffer<bf16> b(64 * 128);
  Buffer<float> d(64 * 64 + 64 * 128);
  for (int i = 0; i < 64 * 128; ++i) {
    a[i] = to_bf16(static_cast<float>(i * 7 % 31 - 15));
    b[i] = to_bf16(static_cast<float>(i * 5 % 23 - 11));
  }
  LAUNCH(multiply_as_a_warpgroup, 1, 128, 2 * 64 * 256, nullptr, a.data(), b.data(), d.data());
  for (int row = 0; row < 64; ++row) {
    for (int col = 0; col < 64; ++col) {
      float expected = 0;
      for (int k = 0; k < 128; ++k) {
        expected += to_float(a[row * 128 + k]) * to_float(b[col * 128 + k]);
      }
      ASSERT_EQ(d[row * 64 + col], expected) << row << ", " << col;
    }
    for (int col = 0; col < 128; ++col) {
      float expected = 0;
      for (int k = 0; k < 64; ++k) {
        expected += to_float(a[row * 128 + k]) * to_float(b[k * 128 + col]);
      }
      ASSERT_EQ(d[64 * 64 + row * 128 + col], expected) << row << ", " << col;
    }
  }
}

TEST(EmulatorTest, BFloat16RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0F).bits, 0x3F80);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3F808000)).bits, 0x3F80);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3F818000)).bits, 0x3F82);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x3F808001)).bits, 0x3F81);
  EXPECT_EQ(to_bf16(std::bit_cast<float>(0x7F7FFFFF)).bits, 0x7F80);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7F800001)))));
  EXPECT_EQ(pack_bf16(1.0F, -2.0F), 0xC0003F80U);
}

__global__ void do_nothing() {}

template <typename Function>
std::string refusal(Function launch) {
  try {
    launch();
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}

TEST(EmulatorTest, RefusesLaunchesThatAGpuRefuses) {
  const auto launch = [](dim3 grid, dim3 block, size_t shared_bytes) {
    return refusal([=] { emulator::launch("do_nothing", do_nothing, grid, block, shared_bytes); });
  };
  EXPECT_EQ(launch(1, 1024, 227 << 10), "");
  EXPECT_THAT(launch(0, 32, 0), HasSubstr("do_nothing: a grid of 0x1x1"));
  EXPECT_THAT(launch(dim3(1, 65536), 32, 0), HasSubstr("a grid of 1x65536x1"));
  EXPECT_THAT(launch(1, 1025, 0), HasSubstr("a block of 1025x1x1"));
  EXPECT_THAT(launch(1, 32, (227 << 10) + 1), HasSubstr("bytes of shared memory"));
}

__global__ void take_much_shared_memory(float* out) {
  SHARED_ARRAY(float, many, [12289]);
  out[0] = many[0];
}

TEST(EmulatorTest, RefusesTooManySharedArrays) {
  Buffer<float> out(1);
  EXPECT_THROW(LAUNCH(take_much_shared_memory, 1, 1, 0, nullptr, out.data()), KernelFault);
}

}  // namespace
}  // namespace prescript::cuda
