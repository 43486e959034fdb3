#include "emulator/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <sstream>
#include <utility>

#include "emulator/memory.h"

namespace prescript::emulator {

constinit thread_local ThreadState* running = nullptr;
constinit thread_local dim3 running_grid;
constinit thread_local dim3 running_block;

namespace {

using Status = BlockThread::Status;

constexpr int kNan = 0xFF;  // bytes
constexpr size_t kUnitBytes = 16;
constexpr unsigned kWarpgroup = 128;
constexpr unsigned kRegisters = 65536;
constexpr size_t kStaticSharedLimit = 48 << 10;

#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStackBytes = 256 << 10;
#else
constexpr size_t kStackBytes = 128 << 10;
#endif

thread_local Block* running_block_state = nullptr;

// Stacks are kept from launch to launch.
const Stack& stack_of(size_t thread) {
  thread_local std::deque<Stack> stacks;
  while (stacks.size() <= thread) stacks.emplace_back(kStackBytes);
  return stacks[thread];
}

uint3 position(uint64_t index, const dim3& size) {
  return {static_cast<unsigned>(index % size.x),
          static_cast<unsigned>(index / size.x % size.y),
          static_cast<unsigned>(index / size.x / size.y)};
}

std::string describe(const BlockThread& thread) {
  if (thread.status == Status::kExited) return "exited";
  if (thread.status == Status::kReady) return "ready";
  std::ostringstream text;
  const char* const what = thread.status == Status::kAtBarrier      ? "__syncthreads"
                           : thread.status == Status::kAtOwnBarrier ? "a barrier"
                                                                    : thread.meeting;
  text << what << " at " << thread.place.file << ":" << thread.place.line;
  if (thread.status == Status::kInWarp) text << " mask 0x" << std::hex << thread.mask;
  return text.str();
}

}  // namespace

Block::Block(const Launch& launch, const Schedule& schedule, const std::function<void()>& thread)
    : launch_(launch),
      schedule_(schedule),
      body_(thread),
      num_threads_(launch.block.x * launch.block.y * launch.block.z),
      threads_(num_threads_),
      random_state_(schedule.seed) {
  if (launch.shared_bytes > 0) dynamic_shared_ = allocate(launch.shared_bytes, true);
  writers_.resize(launch.shared_bytes / kUnitBytes + 1);
}

Block::~Block() {
  for (const auto& [site, array] : shared_arrays_) release(array.data);
  release(dynamic_shared_);
}

Block& Block::current() {
  return *running_block_state;
}

uint64_t Block::random(uint64_t bound) {
  random_state_ += 0x9E3779B97F4A7C15;  // splitmix64
  uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return (z ^ (z >> 31)) % bound;
}

void Block::run(uint64_t block_index) {
  running_grid = launch_.grid;
  running_block = launch_.block;
  start_threads(block_index);
  running_block_state = this;
  thread_ = take_ready();
  running = &thread_->state;
  switch_context(host_, thread_->context, false);
  running = nullptr;
  running_block_state = nullptr;
  if (!fault_.empty()) throw KernelFault(fault_);
}

void Block::start_threads(uint64_t block_index) {
  // What a block finds in its shared memory is what another left.
  if (dynamic_shared_ != nullptr) std::memset(dynamic_shared_, kNan, launch_.shared_bytes);
  for (const auto& [site, array] : shared_arrays_) std::memset(array.data, kNan, array.bytes);
  num_alive_ = num_threads_;
  num_at_barrier_ = 0;
  barriers_ = {};
  registers_.fill(first_registers());
  num_in_warp_ = {};
  num_in_warpgroup_ = {};
  std::ranges::fill(writers_, 0);
  ready_.clear();
  for (unsigned i = 0; i < num_threads_; ++i) {
    BlockThread& t = threads_[i];
    t.state = {.index = position(i, launch_.block),
               .block = position(block_index, launch_.grid),
               .linear = i,
               .lane = i % 32,
               .warp = i / 32,
               .in_grid = block_index * num_threads_ + i};
    t.open_copies.clear();
    t.groups.clear();
    t.products = {};
    prepare(t.context, stack_of(i), &Block::thread_main);
  }
  make_all_ready();
}

void Block::thread_main() {
  arrive();
  Block::current().run_thread();
}

void Block::run_thread() {
  try {
    body_();
    if (!thread_->products.sums.empty()) fail("exited while products were under way");
    thread_->status = Status::kExited;
    --num_alive_;
    if (num_alive_ > 0) {
      open_barrier_if_all_are_there();
    } else {
      check_at_end();
    }
    go_on(true);
  } catch (const std::exception& e) {
    note_fault(e.what());
  }
  // Out of the handler, since what is being caught belongs to the host's thread, not to a fiber.
  // The block's other threads are left where they are.
  switch_context(thread_->context, host_, true);
}

void Block::note_fault(const char* message) {
  std::ostringstream text;
  text << launch_.kernel << ": " << message << " [block " << thread_->state.block.x << ","
       << thread_->state.block.y << "," << thread_->state.block.z << " thread "
       << thread_->state.linear << "]" << describe_threads();
  fault_ = text.str();
}

std::string Block::describe_threads() const {
  std::ostringstream text;
  for (size_t begin = 0; begin < threads_.size();) {
    const std::string description = describe(threads_[begin]);
    size_t end = begin + 1;
    while (end < threads_.size() && describe(threads_[end]) == description) ++end;
    text << "\n  threads " << begin << ".." << end - 1 << ": " << description;
    begin = end;
  }
  return text.str();
}

void Block::make_all_ready() {
  all_threads_.clear();
  for (BlockThread& t : threads_) all_threads_.push_back(&t);
  make_ready(all_threads_);
}

void Block::make_ready(std::span<BlockThread*> threads) {
  if (schedule_.order == Schedule::Order::kDescending) std::ranges::reverse(threads);
  if (schedule_.order == Schedule::Order::kRandom) {
    for (size_t i = threads.size(); i > 1; --i) std::swap(threads[i - 1], threads[random(i)]);
  }
  for (BlockThread* t : threads) t->status = Status::kReady;
  if (schedule_.queue == Schedule::Queue::kLifo) {
    ready_.insert(ready_.begin(), threads.begin(), threads.end());
  } else {
    ready_.insert(ready_.end(), threads.begin(), threads.end());
  }
}

BlockThread* Block::take_ready() {
  if (ready_.empty()) return nullptr;
  if (schedule_.order == Schedule::Order::kRandom) {
    std::swap(ready_.front(), ready_[random(ready_.size())]);
  }
  BlockThread* next = ready_.front();
  ready_.pop_front();
  return next;
}

void Block::switch_to(BlockThread& next, bool ends) {
  BlockThread& self = *thread_;
  thread_ = &next;
  running = &next.state;
  switch_context(self.context, next.context, ends);
}

// Lets another thread run. The caller is not ready, or is again among those that are.
void Block::go_on(bool ends) {
  BlockThread* next = take_ready();
  if (next != nullptr) {
    if (next != thread_) switch_to(*next, ends);
    return;
  }
  if (num_alive_ > 0) fail("threads wait for each other for ever");
  switch_context(thread_->context, host_, true);
}

void Block::wait_for_block(Place place) {
  thread_->status = Status::kAtBarrier;
  thread_->place = place;
  ++num_at_barrier_;
  open_barrier_if_all_are_there();
  go_on(false);
}

void Block::open_barrier_if_all_are_there() {
  if (num_at_barrier_ < num_alive_) return;
  if (num_alive_ < num_threads_) fail("threads exited before a __syncthreads of others");
  std::array<uint32_t, 32> known = {};
  for (const BlockThread& t : threads_) {
    known[t.state.warp] = std::max(known[t.state.warp], t.state.block_interval + 1);
  }
  for (BlockThread& t : threads_) {
    if (t.place.line != threads_[0].place.line ||
        std::strcmp(t.place.file, threads_[0].place.file) != 0) {
      fail("__syncthreads in different lines");
    }
    ++t.state.block_interval;
    t.state.known_intervals = known;
  }
  num_at_barrier_ = 0;
  make_all_ready();
}

void Block::come_to_barrier(int barrier, int num_threads, bool waits, Place place) {
  BlockThread& self = *thread_;
  if (barrier < 1 || barrier > 15) fail("a barrier other than 1 to 15");
  const auto wanted = static_cast<unsigned>(num_threads);
  if (wanted == 0 || wanted % 32 != 0 || wanted > num_threads_) {
    fail("a barrier of " + std::to_string(num_threads) + " threads");
  }
  Barrier& b = barriers_[static_cast<size_t>(barrier)];
  if (b.num_come > 0 && b.num_threads != wanted) fail("a barrier of different numbers of threads");
  b.num_threads = wanted;
  // All before this is known to those that wait, nothing behind it.
  for (size_t w = 0; w < b.known_intervals.size(); ++w) {
    b.known_intervals[w] = std::max(b.known_intervals[w], self.state.known_intervals[w]);
  }
  uint32_t& own = b.known_intervals[self.state.warp];
  own = std::max(own, ++self.state.block_interval);
  if (waits) {
    self.status = Status::kAtOwnBarrier;
    self.place = place;
    b.waiting.push_back(&self);
  }
  if (++b.num_come == b.num_threads) {
    Barrier opened;
    std::swap(opened, b);
    for (BlockThread* t : opened.waiting) {
      for (size_t w = 0; w < opened.known_intervals.size(); ++w) {
        uint32_t& known = t->state.known_intervals[w];
        known = std::max(known, opened.known_intervals[w]);
      }
    }
    make_ready(opened.waiting);
  }
  if (waits) go_on(false);
}

void Block::check_at_end() const {
  for (const Barrier& b : barriers_) {
    if (b.num_come > 0) fail("a barrier that threads came to and that never opened");
  }
  unsigned num_registers = 0;
  for (unsigned warp = 0; warp < num_threads_ / 32; ++warp) num_registers += registers_[warp];
  if (num_registers > num_threads_ / 32 * first_registers()) {
    fail("setmaxnreg: more registers than the block began with, for which it would wait for ever");
  }
}

/// Of a thread when a block begins, where as many threads leave a register to no other.
unsigned Block::first_registers() const {
  return std::min(kRegisters / num_threads_ / 8 * 8, 248U);
}

void Block::meet(const char* name,
                 uint32_t mask,
                 void* argument,
                 Together together,
                 Place place,
                 bool orders_memory) {
  BlockThread& self = *thread_;
  if ((mask >> self.state.lane & 1) == 0) fail(std::string(name) + ": the lane is not in its mask");
  self.status = Status::kInWarp;
  self.meeting = name;
  self.mask = mask;
  self.argument = argument;
  self.place = place;
  const auto num_lanes = static_cast<unsigned>(std::popcount(mask));
  unsigned& num_waiting = num_in_warp_[self.state.warp];
  ++num_waiting;
  std::array<void*, 32> arguments = {};
  if (num_waiting < num_lanes || !gather_warp(self, arguments)) {
    go_on(false);
    return;
  }
  if (together != nullptr) together(mask, arguments.data());
  num_waiting -= num_lanes;
  std::array<BlockThread*, 32> lanes = {};
  unsigned num_found = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) == 0) continue;
    BlockThread& t = threads_[self.state.warp * 32 + lane];
    if (orders_memory) ++t.state.warp_interval;
    lanes[num_found++] = &t;
  }
  make_ready(std::span(lanes).first(num_found));
  go_on(false);
}

// Whether `last` was the last of its mask to come, and then what all of them brought.
bool Block::gather_warp(const BlockThread& last, std::array<void*, 32>& arguments) {
  const auto refuse = [&](const char* why) { fail(std::string(last.meeting) + ": " + why); };
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((last.mask >> lane & 1) == 0) continue;
    const unsigned linear = last.state.warp * 32 + lane;
    if (linear >= num_threads_) refuse("the mask names lanes that do not exist");
    const BlockThread& t = threads_[linear];
    if (t.status == Status::kExited) refuse("the mask names a lane that exited");
    if (t.status != Status::kInWarp) return false;
    if (std::strcmp(last.meeting, t.meeting) != 0 || t.mask != last.mask ||
        t.place.line != last.place.line) {
      refuse("lanes of one mask are in different meetings");
    }
    arguments[lane] = t.argument;
  }
  return true;
}

void Block::meet_as_warpgroup(const char* name,
                              Place place,
                              size_t argument,
                              WarpgroupTogether together) {
  BlockThread& self = *thread_;
  const unsigned group = self.state.linear / kWarpgroup;
  const unsigned first = group * kWarpgroup;
  const auto refuse = [&](const char* why) { fail(std::string(name) + ": " + why); };
  if (first + kWarpgroup > num_threads_) refuse("not a whole warpgroup");
  self.status = Status::kInWarpgroup;
  self.meeting = name;
  self.place = place;
  if (++num_in_warpgroup_[group] < kWarpgroup) {
    go_on(false);
    return;
  }
  std::array<BlockThread*, kWarpgroup> threads = {};
  for (unsigned i = 0; i < kWarpgroup; ++i) {
    threads[i] = &threads_[first + i];
    if (std::strcmp(threads[i]->meeting, name) != 0 || threads[i]->place.line != place.line) {
      refuse("threads of one warpgroup are in different meetings");
    }
  }
  together(threads, argument);
  num_in_warpgroup_[group] = 0;
  make_ready(threads);
  go_on(false);
}

void Block::note_written(const void* address, size_t bytes) {
  const auto* const begin = static_cast<const unsigned char*>(dynamic_shared_);
  const auto* const at = static_cast<const unsigned char*>(address);
  if (begin == nullptr || at < begin || at >= begin + launch_.shared_bytes) return;
  const auto offset = static_cast<size_t>(at - begin);
  for (size_t unit = offset / kUnitBytes; unit <= (offset + bytes - 1) / kUnitBytes; ++unit) {
    writers_[unit] = thread_->state.linear + 1;
    thread_->products.written.push_back(static_cast<uint32_t>(unit));
  }
}

void Block::publish() {
  for (const uint32_t unit : thread_->products.written) {
    if (writers_[unit] == thread_->state.linear + 1) writers_[unit] = 0;
  }
  thread_->products.written.clear();
}

void* Block::shared_array(const void* site, size_t bytes, const char* name) {
  SharedArray& array = shared_arrays_[site];
  if (array.data == nullptr) {
    static_shared_bytes_ += (bytes + 15) / 16 * 16;
    if (static_shared_bytes_ > kStaticSharedLimit) {
      fail(std::string(name) + ": more than 48 KB of shared arrays");
    }
    if (static_shared_bytes_ + launch_.shared_bytes > kSharedLimit) {
      fail(std::string(name) + ": more than 227 KB of shared memory");
    }
    array = {allocate(bytes, true), bytes};
  }
  return array.data;
}

}  // namespace prescript::emulator
