#include "train/batches.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {
namespace {

using Batch = std::vector<size_t>;

/// The first `steps` batches, one behind the other.
Batch row_of(size_t num_exemplars, int64_t batch_size, uint64_t seed, int64_t steps) {
  Batch row;
  for (int64_t step = 1; step <= steps; ++step) {
    const Batch batch = batch_of_step(num_exemplars, batch_size, seed, step);
    EXPECT_EQ(batch.size(), static_cast<size_t>(batch_size));
    row.insert(row.end(), batch.begin(), batch.end());
  }
  return row;
}

TEST(Batches, EveryEpochHoldsEachExemplarOnce) {
  for (const int64_t batch_size : {1, 3, 4, 11, 12, 13, 40}) {
    const size_t n = 12;
    const Batch row = row_of(n, batch_size, 7, 3 * 12);
    for (size_t begin = 0; begin + n <= row.size(); begin += n) {
      const std::set<size_t> epoch(row.begin() + begin, row.begin() + begin + n);
      EXPECT_EQ(epoch.size(), n) << batch_size << " " << begin;
      EXPECT_EQ(*epoch.rbegin(), n - 1);
    }
  }
}

TEST(Batches, StraddleEpochsSoThatTheSizeDoesNotChangeTheOrder) {
  const Batch one_by_one = row_of(12, 1, 7, 60);
  EXPECT_EQ(row_of(12, 5, 7, 12), one_by_one);
  EXPECT_EQ(row_of(12, 30, 7, 2), one_by_one);
}

TEST(Batches, EpochsDifferInOrderAndSeedsToo) {
  const Batch row = row_of(12, 12, 7, 2);
  const Batch first(row.begin(), row.begin() + 12);
  EXPECT_NE(first, Batch(row.begin() + 12, row.end()));
  EXPECT_NE(first, row_of(12, 12, 8, 1));
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
}

TEST(Batches, AreAFunctionOfTheStepAlone) {
  const Batch late = batch_of_step(12, 5, 7, 9);
  batch_of_step(12, 5, 7, 1);
  EXPECT_EQ(batch_of_step(12, 5, 7, 9), late);
}

TEST(Batches, NothingToDrawFromIsRefused) {
  EXPECT_THROW(batch_of_step(0, 1, 1, 1), ContractError);
  EXPECT_THROW(batch_of_step(1, 0, 1, 1), ContractError);
  EXPECT_THROW(batch_of_step(1, 1, 1, 0), ContractError);
}

}  // namespace
}  // namespace prescript
