#pragma once
// A block of threads: who may go on, who waits for whom, and its shared memory.

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "emulator/fiber.h"
#include "emulator/runtime.h"
#include "emulator/schedule.h"
#include "emulator/warpgroup.h"

namespace prescript::emulator {

struct AsyncCopy {
  void* to = nullptr;
  const void* from = nullptr;
  bool exists = false;
  Place place;
};

/// A thread with its fiber and what it waits for.
struct BlockThread {
  enum class Status { kReady, kAtBarrier, kAtOwnBarrier, kInWarp, kInWarpgroup, kExited };
  ThreadState state;
  Context context;
  Status status = Status::kReady;
  Place place;
  // A meeting in the warp, or in the warpgroup.
  const char* meeting = "";
  uint32_t mask = 0;
  void* argument = nullptr;
  // Asynchronous copies under way.
  std::vector<AsyncCopy> open_copies;
  std::vector<std::vector<AsyncCopy>> groups;
  ThreadProducts products;
};

/// Runs the blocks of one launch, one after another.
class Block {
 public:
  Block(const Launch& launch, const Schedule& schedule, const std::function<void()>& thread);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  /// The block that runs now, and its thread. Only within run().
  static Block& current();
  BlockThread& thread() { return *thread_; }

  void run(uint64_t block_index);

  void wait_for_block(Place place);
  void come_to_barrier(int barrier, int num_threads, bool waits, Place place);
  void change_registers(unsigned num_registers) { registers_[thread_->state.warp] = num_registers; }
  void meet(const char* name,
            uint32_t mask,
            void* argument,
            Together together,
            Place place,
            bool orders_memory);
  /// Every thread of the warpgroup comes for the same; the last runs `together` over all 128.
  using WarpgroupTogether = void (*)(std::span<BlockThread* const> threads, size_t argument);
  void meet_as_warpgroup(const char* name,
                         Place place,
                         size_t argument,
                         WarpgroupTogether together);

  // 16-byte units of dynamic shared memory that somebody wrote and did not publish to products.
  void note_written(const void* address, size_t bytes);
  void publish();
  bool is_unpublished(size_t unit) const { return writers_[unit] != 0; }

  void* shared_array(const void* site, size_t bytes, const char* name);
  void* dynamic_shared() const { return dynamic_shared_; }

  /// A number below `bound`, from the schedule's seed.
  uint64_t random(uint64_t bound);

 private:
  static void thread_main();
  void start_threads(uint64_t block_index);
  void run_thread();
  void switch_to(BlockThread& next, bool ends);
  void go_on(bool ends);
  void make_all_ready();
  void make_ready(std::span<BlockThread*> threads);
  BlockThread* take_ready();
  void open_barrier_if_all_are_there();
  void check_at_end() const;
  unsigned first_registers() const;
  bool gather_warp(const BlockThread& last, std::array<void*, 32>& arguments);
  void note_fault(const char* message);
  std::string describe_threads() const;

  const Launch& launch_;
  const Schedule schedule_;
  const std::function<void()>& body_;
  unsigned num_threads_ = 0;
  std::vector<BlockThread> threads_;
  std::vector<BlockThread*> all_threads_;
  std::deque<BlockThread*> ready_;
  BlockThread* thread_ = nullptr;
  Context host_;
  unsigned num_alive_ = 0;
  unsigned num_at_barrier_ = 0;
  /// A barrier other than that of __syncthreads.
  struct Barrier {
    unsigned num_threads = 0;  // that open it
    unsigned num_come = 0;
    std::vector<BlockThread*> waiting;
    std::array<uint32_t, 32> known_intervals = {};  // to those that have come
  };
  std::array<Barrier, 16> barriers_;
  std::array<unsigned, 32> registers_ = {};        // of each thread of a warp
  std::array<unsigned, 32> num_in_warp_ = {};      // that wait in a meeting
  std::array<unsigned, 8> num_in_warpgroup_ = {};  // the same
  std::vector<unsigned> writers_;                  // of units: the thread plus one, or none
  std::string fault_;
  uint64_t random_state_ = 0;
  struct SharedArray {
    void* data = nullptr;
    size_t bytes = 0;
  };
  std::map<const void*, SharedArray> shared_arrays_;
  size_t static_shared_bytes_ = 0;
  void* dynamic_shared_ = nullptr;
};

}  // namespace prescript::emulator
