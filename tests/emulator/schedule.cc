#include "emulator/schedule.h"

#include <array>

namespace prescript::emulator {
namespace {

using enum Schedule::Order;
using enum Schedule::Queue;

constexpr std::array kSchedules = {Schedule{kAscending, kFifo, 0},
                                   Schedule{kAscending, kLifo, 0},
                                   Schedule{kDescending, kFifo, 0},
                                   Schedule{kDescending, kLifo, 0},
                                   Schedule{kRandom, kFifo, 1},
                                   Schedule{kRandom, kLifo, 2}};

Schedule schedule_of_launches;

}  // namespace

std::span<const Schedule> all_schedules() {
  return kSchedules;
}

std::string name_of(const Schedule& schedule) {
  std::string name = schedule.order == kAscending    ? "ascending"
                     : schedule.order == kDescending ? "descending"
                                                     : "random";
  name += schedule.queue == kFifo ? "_fifo" : "_lifo";
  if (schedule.order == kRandom) name += "_" + std::to_string(schedule.seed);
  return name;
}

void set_schedule(const Schedule& schedule) {
  schedule_of_launches = schedule;
}

const Schedule& current_schedule() {
  return schedule_of_launches;
}

}  // namespace prescript::emulator
