#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "ops/cpu_parallel.h"

namespace prescript {
namespace {

class Parallel : public testing::Test {
 protected:
  ~Parallel() override { cpu::set_num_threads(1); }
};

/// How often a loop over [0, size) came to each number.
std::vector<int> visits(int64_t size, int64_t grain) {
  std::vector<int> result(size);
  cpu::parallel_for(0, size, grain, [&](int64_t begin, int64_t end) {
    EXPECT_LT(begin, end);
    for (int64_t i = begin; i < end; ++i) ++result[i];
  });
  return result;
}

TEST_F(Parallel, HasNoNumberOfThreadsBeforeItIsSet) {
  cpu::set_num_threads(0);
  EXPECT_THROW(cpu::num_threads(), ContractError);
  EXPECT_THROW(visits(2, 1), ContractError);
}

TEST_F(Parallel, ComesToEveryNumberOnce) {
  for (const int threads : {1, 2, 3, 7, 2}) {
    cpu::set_num_threads(threads);
    for (const int64_t size : {0, 1, 2, 5, 6, 7, 8, 100}) {
      for (const int64_t grain : {1, 2, 10}) {
        EXPECT_EQ(visits(size, grain), std::vector<int>(size, 1)) << threads << " threads";
      }
      std::vector<std::atomic<int>> items(size);
      cpu::for_each_item(size, [&](int64_t i) { ++items[i]; });
      EXPECT_TRUE(std::ranges::all_of(items, [](const auto& count) { return count == 1; }));
    }
  }
}

TEST_F(Parallel, EveryThreadTakesOneRange) {
  cpu::set_num_threads(3);
  std::vector<std::thread::id> ids(3);
  cpu::parallel_for(0, 3, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(end, begin + 1);
    ids[begin] = std::this_thread::get_id();
  });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  EXPECT_NE(ids[1], ids[0]);
  EXPECT_NE(ids[2], ids[0]);
  EXPECT_NE(ids[2], ids[1]);
}

TEST_F(Parallel, ALoopInsideOfALoopIsOneRange) {
  cpu::set_num_threads(3);
  std::atomic<int> ranges = 0;
  cpu::parallel_for(0, 3, 1, [&](int64_t /*begin*/, int64_t /*end*/) {
    cpu::parallel_for(0, 100, 1, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 100);
      ++ranges;
    });
  });
  EXPECT_EQ(ranges, 3);
}

TEST_F(Parallel, ThrowsWhatARangeThrowsOnceAllHaveEnded) {
  cpu::set_num_threads(3);
  for (const int64_t thrower : {0, 1, 2}) {
    std::atomic<int> ended = 0;
    const auto loop = [&] {
      cpu::parallel_for(0, 3, 1, [&](int64_t begin, int64_t /*end*/) {
        if (begin == thrower) throw std::runtime_error("no");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ++ended;
      });
    };
    EXPECT_THROW(loop(), std::runtime_error);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(visits(9, 1), std::vector<int>(9, 1)) << "the next loop";
  }
}

TEST_F(Parallel, LoopsOfSeveralThreadsDoNotMix) {
  cpu::set_num_threads(2);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      for (int turn = 0; turn < 1000; ++turn) {
        if (visits(17, 1) != std::vector<int>(17, 1)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace prescript
