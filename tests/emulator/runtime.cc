#include "emulator/runtime.h"

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "cuda/card_limits.h"
#include "emulator/block.h"
#include "emulator/memory.h"
#include "emulator/schedule.h"
#include "emulator/warpgroup.h"

namespace prescript::emulator {
namespace {

constexpr int kNan = 0xFF;
constexpr size_t kCopyBytes = 16;
constexpr size_t kParameterLimit = 4 << 10;

Observer* observer = nullptr;
Executor* executor = nullptr;

void tell(const void* address, size_t bytes, bool is_write, const void* code) {
  if (observer != nullptr) observer->on_access(address, bytes, is_write, code);
}

void check(const Launch& launch) {
  const dim3& g = launch.grid;
  const dim3& b = launch.block;
  const auto refuse = [&](const std::string& why) {
    throw DeviceError(std::string(launch.kernel) + ": " + why);
  };
  const auto sizes = [](const dim3& d) {
    return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z);
  };
  if (g.x == 0 || g.y == 0 || g.z == 0 || g.x > 0x7FFFFFFF || g.y > 0xFFFF || g.z > 0xFFFF) {
    refuse("a grid of " + sizes(g));
  }
  const uint64_t num_threads = uint64_t{b.x} * b.y * b.z;
  if (num_threads == 0 || num_threads > 1024 || b.z > 64) refuse("a block of " + sizes(b));
  if (launch.shared_bytes > kSharedLimit) {
    refuse(std::to_string(launch.shared_bytes) + " bytes of shared memory");
  }
  size_t parameter_bytes = 0;
  for (const Launch::Parameter& p : launch.parameters) parameter_bytes += p.bytes;
  if (parameter_bytes > kParameterLimit) refuse("more than 4 KB of parameters");
}

std::vector<uint64_t> order_of_blocks(uint64_t num_blocks, const Schedule& schedule, Block& block) {
  std::vector<uint64_t> order(num_blocks);
  std::iota(order.begin(), order.end(), 0);
  if (schedule.order == Schedule::Order::kDescending) {
    for (uint64_t i = 0; i < num_blocks; ++i) order[i] = num_blocks - 1 - i;
  }
  if (schedule.order == Schedule::Order::kRandom) {
    for (uint64_t i = num_blocks; i > 1; --i) std::swap(order[i - 1], order[block.random(i)]);
  }
  return order;
}

void land(const AsyncCopy& copy) {
  // Told as the compiled code of this function: the observer sees who waited, not who asked.
  const void* code = __builtin_return_address(0);
  tell(copy.to, kCopyBytes, true, code);
  note_written(copy.to, kCopyBytes);
  if (copy.exists) {
    tell(copy.from, kCopyBytes, false, code);
    std::memcpy(copy.to, copy.from, kCopyBytes);
  } else {
    std::memset(copy.to, 0, kCopyBytes);
  }
}

}  // namespace

void set_observer(Observer* o) {
  observer = o;
}
Observer* current_observer() {
  return observer;
}
void set_executor(Executor* e) {
  executor = e;
}

void fail(const std::string& message) {
  throw KernelFault(message);
}

void run_launch(const Launch& launch, const std::function<void()>& thread) {
  if (executor != nullptr) {
    executor->run(launch);
  } else {
    run_grid(launch, thread);
  }
}

void run_grid(const Launch& launch, const std::function<void()>& thread) {
  check(launch);
  if (observer != nullptr) observer->on_launch(launch);
  const Schedule schedule = current_schedule();
  Block block(launch, schedule, thread);
  const uint64_t num_blocks = uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z;
  for (const uint64_t index : order_of_blocks(num_blocks, schedule, block)) {
    if (observer != nullptr) observer->on_block();
    block.run(index);
  }
  if (const Allocation* beside = find_damaged_gap()) {
    throw KernelFault(std::string(launch.kernel) + ": wrote beside a buffer of " +
                      std::to_string(beside->bytes) + " bytes");
  }
}

void wait_for_block(Place place) {
  Block::current().wait_for_block(place);
}

void come_to_barrier(int barrier, int num_threads, bool waits, Place place) {
  Block::current().come_to_barrier(barrier, num_threads, waits, place);
}

void change_registers(int num_registers) {
  if (num_registers < 24 || num_registers > 256 || num_registers % 8 != 0) {
    fail("setmaxnreg: " + std::to_string(num_registers) + " registers");
  }
  Block::current().change_registers(static_cast<unsigned>(num_registers));
}

void meet_in_warp(const char* name, uint32_t mask, void* argument, Together together, Place place) {
  Block::current().meet(name, mask, argument, together, place, false);
}

void wait_for_warp(uint32_t mask, Place place) {
  Block::current().meet("__syncwarp", mask, nullptr, nullptr, place, true);
}

void* shared_array(const void* site, size_t bytes, const char* name) {
  return Block::current().shared_array(site, bytes, name);
}

void* dynamic_shared() {
  return Block::current().dynamic_shared();
}

void copy_async(void* to, const void* from, bool exists, Place place) {
  if (reinterpret_cast<uintptr_t>(to) % kCopyBytes != 0) fail("cp.async: misaligned destination");
  if (exists && reinterpret_cast<uintptr_t>(from) % kCopyBytes != 0) {
    fail("cp.async: misaligned source");
  }
  const Allocation* destination = find_allocation(to);
  if (destination == nullptr || !destination->is_shared) {
    fail("cp.async: the destination is not shared memory");
  }
  tell(to, kCopyBytes, true, __builtin_return_address(0));
  std::memset(to, kNan, kCopyBytes);
  Block::current().thread().open_copies.push_back({to, from, exists, place});
}

void copy_async_commit() {
  BlockThread& thread = Block::current().thread();
  thread.groups.push_back(std::move(thread.open_copies));
  thread.open_copies.clear();
}

void copy_async_wait(int pending) {
  BlockThread& thread = Block::current().thread();
  while (thread.groups.size() > static_cast<size_t>(pending)) {
    for (const AsyncCopy& copy : thread.groups.front()) land(copy);
    thread.groups.erase(thread.groups.begin());
  }
}

}  // namespace prescript::emulator

namespace prescript::cuda {

// Those of an H100.
CardLimits card_limits() {
  return {.multiprocessors = 132, .block_shared_bytes = emulator::kSharedLimit};
}

}  // namespace prescript::cuda
