#include "ops/cpu_parallel.h"

#include <algorithm>
#include <climits>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <immintrin.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

namespace prescript::cpu {
namespace {

// How often a thread looks for what it waits for before it sleeps, from 20 microseconds to some 2
// milliseconds. Looking is the faster, by the time that waking takes, where each thread has a
// processor; where another process has made processors scarce, the thread that looks takes its
// processor from the one that is waited for. So a wait that looking did not end halves how often
// the thread looks from then on, and every one that it did end adds to it.
constexpr int kFewestLooks = 1000;
constexpr int kMostLooks = 100'000;
constexpr int kGrowth = 64;

/// A number that threads wait for. Not std::atomic's wait: it lets other threads have the processor
/// before it sleeps, of whom those of a busy process keep it for milliseconds.
class WatchedNumber {
 public:
  uint32_t get() const { return value_.load(); }
  void set(uint32_t value) { value_ = value; }
  void wake() {
    if (num_sleeping_ > 0) futex(FUTEX_WAKE_PRIVATE, INT_MAX);
  }
  uint32_t increment() { return ++value_; }
  uint32_t decrement() { return --value_; }

  /// Returns when it is no longer `old`, and that was made known by `wake`.
  void await_change(uint32_t old) {
    thread_local int looks = kMostLooks;
    for (int look = 0; look < looks; ++look) {
      if (get() != old) {
        looks = std::min(looks + looks / kGrowth, kMostLooks);
        return;
      }
      _mm_pause();
    }
    looks = std::max(looks / 2, kFewestLooks);
    ++num_sleeping_;
    while (get() == old) futex(FUTEX_WAIT_PRIVATE, old);
    --num_sleeping_;
  }

 private:
  void futex(int operation, uint32_t argument) {
    static_assert(sizeof value_ == sizeof(uint32_t) && decltype(value_)::is_always_lock_free);
    syscall(SYS_futex, &value_, operation, argument, nullptr, nullptr, 0);
  }

  std::atomic<uint32_t> value_ = 0;
  std::atomic<uint32_t> num_sleeping_ = 0;
};

thread_local bool is_in_loop = false;

/// A loop, cut into as many equal ranges as threads take part.
class Loop {
 public:
  Loop(int64_t begin, int64_t end, int64_t num_ranges, RangeBody body)
      : begin_(begin), end_(end), size_((end - begin + num_ranges - 1) / num_ranges), body_(body) {}

  /// The range of thread `index`, if there is one.
  void run(int64_t index) noexcept {
    const int64_t begin = begin_ + index * size_;
    if (begin >= end_) return;
    is_in_loop = true;
    try {
      body_.call(body_.body, begin, std::min(begin + size_, end_));
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    is_in_loop = false;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  int64_t begin_;
  int64_t end_;
  int64_t size_;
  RangeBody body_;
  std::mutex mutex_;
  std::exception_ptr error_;
};

/// Threads beside the caller's.
class Team {
 public:
  /// Throws DeviceError where the system starts no more of them.
  explicit Team(int num_workers) {
    try {
      for (int index = 1; index <= num_workers; ++index) {
        workers_.emplace_back([this, index] { work(index); });
      }
    } catch (const std::system_error& error) {
      stop();
      throw DeviceError("cannot start " + std::to_string(num_workers + 1) +
                        " threads: " + error.code().message() +
                        "; lower training.threads or OMP_NUM_THREADS, or raise what the process "
                        "may take (ulimit -u, ulimit -v)");
    }
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() { stop(); }

  int num_workers() const { return static_cast<int>(workers_.size()); }

  void run(Loop& loop) {
    num_running_.set(static_cast<uint32_t>(workers_.size()));
    start(&loop);
    loop.run(0);
    while (const uint32_t left = num_running_.get()) num_running_.await_change(left);
  }

 private:
  /// Nothing: the workers end.
  void start(Loop* loop) {
    loop_ = loop;
    round_.increment();
    round_.wake();
  }

  void stop() {
    start(nullptr);
    for (std::thread& worker : workers_) worker.join();
  }

  void work(int64_t index) {
    for (uint32_t round = 0;; ++round) {
      round_.await_change(round);
      if (loop_ == nullptr) return;
      loop_->run(index);
      if (num_running_.decrement() == 0) num_running_.wake();
    }
  }

  std::vector<std::thread> workers_;
  WatchedNumber round_;  // of loops that were started
  WatchedNumber num_running_;
  Loop* loop_ = nullptr;
};

struct Threads {
  std::atomic<int> count = 0;  // before it is set
  std::mutex mutex;            // held by whose loop runs
  std::unique_ptr<Team> team;
};

/// Never destroyed: the end of a process, or of its fork, which has none of them, waits for no
/// thread.
Threads& threads() {
  static Threads& instance = *new Threads;
  return instance;
}

}  // namespace

int num_threads() {
  const int count = threads().count;
  PRESCRIPT_CHECK(count > 0, "the number of threads is not set");
  return count;
}

void set_num_threads(int count) {
  threads().count = count;
}

void run_ranges(int64_t begin, int64_t end, int64_t grain, RangeBody body) {
  if (begin >= end) return;
  const int64_t count = num_threads();
  const int64_t num_ranges = std::min(count, (end - begin + grain - 1) / grain);
  std::unique_lock lock(threads().mutex, std::defer_lock);
  if (num_ranges == 1 || is_in_loop || !lock.try_lock()) {
    body.call(body.body, begin, end);
    return;
  }
  auto& team = threads().team;
  if (!team || team->num_workers() != count - 1) {
    team.reset();  // its threads end before others start
    team = std::make_unique<Team>(static_cast<int>(count) - 1);
  }
  Loop loop(begin, end, num_ranges, body);
  team->run(loop);
  lock.unlock();
  loop.rethrow();
}

}  // namespace prescript::cpu
