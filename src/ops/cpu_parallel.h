#pragma once
// The threads of the cpu backend, and loops over them.

#include <atomic>
#include <cstdint>

namespace prescript::cpu {

/// Threads that share a loop, the caller among them. Holds for the process; make_cpu_ops sets it.
/// Throws ContractError before that.
int num_threads();
void set_num_threads(int count);

/// A range of a loop; what it calls outlives the loop.
struct RangeBody {
  void (*call)(const void* body, int64_t begin, int64_t end);
  const void* body;
};
void run_ranges(int64_t begin, int64_t end, int64_t grain, RangeBody body);

/// Calls `body(begin, end)` for one range a thread, which cover [begin, end) and have at least
/// `grain` numbers, as far as there are that many; inside of such a loop, or while another thread's
/// loop runs, for all of it at once. Which thread takes which range depends on nothing but these
/// numbers and that of the threads. Throws what a range throws, once all have ended, and
/// DeviceError where threads cannot be started.
template <typename Body>
void parallel_for(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  const auto call = [](const void* object, int64_t first, int64_t last) {
    (*static_cast<const Body*>(object))(first, last);
  };
  run_ranges(begin, end, grain, {call, &body});
}

/// Calls `body(i)` for i in [0, count), each thread taking the next item when it is done with one:
/// for items of unequal length, and threads that are interrupted.
template <typename Body>
void for_each_item(int64_t count, const Body& body) {
  std::atomic<int64_t> next = 0;
  parallel_for(0, num_threads(), 1, [&](int64_t /*begin*/, int64_t /*end*/) {
    for (int64_t i = next++; i < count; i = next++) body(i);
  });
}

}  // namespace prescript::cpu
