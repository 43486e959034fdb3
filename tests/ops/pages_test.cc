#include <cstring>

#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/cpu_pages.h"

namespace prescript::cpu {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

TEST(PagePool, TakesAgainWhatWasGivenBack) {
  PagePool pool;
  const PagePool::Block first = pool.take(10 * kMegabyte);
  std::memset(first.data, 1, first.bytes);
  const PagePool::Block second = pool.take(10 * kMegabyte);
  EXPECT_NE(second.data, first.data);
  pool.give_back(first);
  const PagePool::Block third = pool.take(6 * kMegabyte);
  EXPECT_EQ(third.data, first.data);
  EXPECT_EQ(third.bytes, first.bytes);
  pool.give_back(second);
  pool.give_back(third);
}

TEST(PagePool, GivesNoSmallRequestALargeBlock) {
  PagePool pool;
  const PagePool::Block large = pool.take(PagePool::kLarge);
  pool.give_back(large);
  const PagePool::Block small = pool.take(4 * kMegabyte);
  EXPECT_EQ(small.bytes, 4 * kMegabyte);
  // Mapping it has not cost the large one.
  const PagePool::Block again = pool.take(PagePool::kLarge);
  EXPECT_EQ(again.data, large.data);
  for (const PagePool::Block& block : {small, again}) pool.give_back(block);
}

TEST(PagePool, ReturnsWhatIsNotAskedForToTheSystem) {
  PagePool pool;
  const PagePool::Block block = pool.take(20 * kMegabyte);
  std::memset(block.data, 1, block.bytes);
  pool.give_back(block);
  const PagePool::Block part = pool.take(5 * kMegabyte);
  ASSERT_EQ(part.data, block.data);
  const auto* bytes = static_cast<const unsigned char*>(part.data);
  EXPECT_EQ(bytes[5 * kMegabyte - 1], 1);
  EXPECT_EQ(bytes[19 * kMegabyte], 0);  // a fresh page
  pool.give_back(part);
}

TEST(PagePool, TakesTheSmallestThatIsLargeEnough) {
  PagePool pool;
  const PagePool::Block large = pool.take(10 * kMegabyte);
  const PagePool::Block middle = pool.take(8 * kMegabyte);
  const PagePool::Block small = pool.take(6 * kMegabyte);
  for (const PagePool::Block& block : {large, middle, small}) pool.give_back(block);
  const PagePool::Block found = pool.take(7 * kMegabyte);
  EXPECT_EQ(found.data, middle.data);
  pool.give_back(found);
}

TEST(PagePool, SaysThatThereIsNotEnough) {
  PagePool pool;
  EXPECT_THROW(pool.take(size_t{1} << 60), DeviceError);
  EXPECT_THROW(pool.take(SIZE_MAX), DeviceError);
}

}  // namespace
}  // namespace prescript::cpu
