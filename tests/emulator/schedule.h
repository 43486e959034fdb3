#pragma once
// In which order the emulator runs what a GPU may run in any order.

#include <cstdint>
#include <span>
#include <string>

namespace prescript::emulator {

/// A missing barrier shows in some orders only: which thread goes on first when a barrier opens,
/// and whether the others follow at once (fifo) or one warp races ahead (lifo).
struct Schedule {
  enum class Order { kAscending, kDescending, kRandom };
  enum class Queue { kFifo, kLifo };
  Order order = Order::kAscending;
  Queue queue = Queue::kFifo;
  uint64_t seed = 0;  // of a random order
};

/// The orders that the tests run in: ascending and descending by both queues, two random ones.
std::span<const Schedule> all_schedules();

/// "ascending_lifo", "random_fifo_1".
std::string name_of(const Schedule& schedule);

/// For all launches from now on.
void set_schedule(const Schedule& schedule);
const Schedule& current_schedule();

/// Changes the schedule for a scope.
class ScopedSchedule {
 public:
  explicit ScopedSchedule(const Schedule& schedule) : before_(current_schedule()) {
    set_schedule(schedule);
  }
  ~ScopedSchedule() { set_schedule(before_); }
  ScopedSchedule(const ScopedSchedule&) = delete;
  ScopedSchedule& operator=(const ScopedSchedule&) = delete;

 private:
  Schedule before_;
};

}  // namespace prescript::emulator
