#include <algorithm>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "ops/cpu_pages.h"

namespace prescript::cpu {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

/// Writes to all of a block.
void fill(void* data, size_t bytes) {
  std::memset(data, 1, bytes);
}

/// Bytes of pages that the system has given, of those that begin with `data`.
size_t given(void* data, size_t bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> is_there(bytes / page);
  EXPECT_EQ(mincore(data, bytes, is_there.data()), 0);
  return page * static_cast<size_t>(std::count_if(
                    is_there.begin(), is_there.end(), [](auto byte) { return (byte & 1) != 0; }));
}

TEST(PagePool, TakesAgainWhatWasGivenBack) {
  PagePool pool;
  void* const first = pool.take(10 * kMegabyte);
  void* const second = pool.take(10 * kMegabyte);
  EXPECT_NE(second, first);
  pool.give_back(first);
  EXPECT_EQ(pool.take(6 * kMegabyte), first);
  pool.give_back(first);
  EXPECT_EQ(pool.take(10 * kMegabyte), first);
}

TEST(PagePool, GivesNoSmallRequestALargeBlock) {
  PagePool pool;
  void* const large = pool.take(PagePool::kLarge);
  pool.give_back(large);
  EXPECT_NE(pool.take(4 * kMegabyte), large);
  // Mapping it has not cost the large one.
  EXPECT_EQ(pool.take(PagePool::kLarge), large);
}

TEST(PagePool, KeepsWhatASmallerRequestLeavesOver) {
  PagePool pool;
  void* const block = pool.take(20 * kMegabyte);
  fill(block, 20 * kMegabyte);
  pool.give_back(block);
  ASSERT_EQ(pool.take(6 * kMegabyte), block);
  pool.give_back(block);
  ASSERT_EQ(pool.take(20 * kMegabyte), block);
  EXPECT_EQ(given(block, 20 * kMegabyte), 20 * kMegabyte);
}

TEST(PagePool, HoldsNoMoreThanWasAskedForAtATime) {
  PagePool pool;
  void* const block = pool.take(20 * kMegabyte);
  fill(block, 20 * kMegabyte);
  pool.give_back(block);
  ASSERT_EQ(pool.take(6 * kMegabyte), block);
  void* const other = pool.take(14 * kMegabyte);  // in place of what is left over
  fill(other, 14 * kMegabyte);
  EXPECT_EQ(given(block, 20 * kMegabyte), 6 * kMegabyte);
  // Free ones go first: what is left over is not asked for by anyone, but its pages are.
  pool.give_back(other);
  void* const third = pool.take(16 * kMegabyte);
  EXPECT_EQ(given(block, 6 * kMegabyte), 6 * kMegabyte);
  pool.give_back(block);
  pool.give_back(third);
  // A block that has returned pages takes them again in place of another's.
  ASSERT_EQ(pool.take(16 * kMegabyte), third);
  fill(third, 16 * kMegabyte);
  ASSERT_EQ(pool.take(4 * kMegabyte), block);
  EXPECT_EQ(given(block, 4 * kMegabyte), 4 * kMegabyte);
}

TEST(PagePool, TakesTheSmallestThatIsLargeEnough) {
  PagePool pool;
  void* const large = pool.take(10 * kMegabyte);
  void* const middle = pool.take(8 * kMegabyte);
  void* const small = pool.take(6 * kMegabyte);
  for (void* const block : {large, middle, small}) pool.give_back(block);
  EXPECT_EQ(pool.take(7 * kMegabyte), middle);
}

TEST(PagePool, SaysThatThereIsNotEnough) {
  PagePool pool;
  EXPECT_THROW(pool.take(size_t{1} << 60), DeviceError);
  EXPECT_THROW(pool.take(SIZE_MAX), DeviceError);
}

}  // namespace
}  // namespace prescript::cpu
