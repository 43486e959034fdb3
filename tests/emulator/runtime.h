#pragma once
// What emulated device code asks of the machine that runs it. Host code wants emulator/emulator.h.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulator/cuda_types.h"

namespace prescript::emulator {

/// Bytes of shared memory, static and dynamic, that a block may have: as on sm_90.
constexpr size_t kSharedLimit = 227 << 10;

/// What a kernel did that it must not: threads that wait for each other for ever, an address that
/// is in no buffer. what() names the kernel, the place and where every thread of the block stood.
class KernelFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A line of a kernel.
struct Place {
  const char* file = "";
  int line = 0;
};

/// A thread as device code and observers see it.
struct ThreadState {
  uint3 index = {};     // in its block
  uint3 block = {};     // in the grid
  unsigned linear = 0;  // of `index`
  unsigned lane = 0;
  unsigned warp = 0;
  uint64_t in_grid = 0;  // never the same for two threads of a launch
  // How many barriers of the block and __syncwarp are behind it: between two accesses in one
  // interval nothing orders two threads of a warp.
  uint32_t block_interval = 0;
  uint32_t warp_interval = 0;
  // Of each warp of the block: how many of its intervals a barrier put before this thread.
  std::array<uint32_t, 32> known_intervals = {};
};

/// The thread that runs now; null outside a launch.
extern constinit thread_local ThreadState* running;

/// Sizes of the launch that runs now.
extern constinit thread_local dim3 running_grid;
extern constinit thread_local dim3 running_block;

/// A launch as the host asked for it.
struct Launch {
  const char* kernel = "";
  const void* function = nullptr;
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
  struct Parameter {
    const void* data = nullptr;
    size_t bytes = 0;
  };
  std::vector<Parameter> parameters;
};

/// Runs `thread` once for every thread of the grid. Throws KernelFault, and DeviceError where a GPU
/// would refuse the launch.
void run_grid(const Launch& launch, const std::function<void()>& thread);

/// Runs the launch by the executor in place, else run_grid.
void run_launch(const Launch& launch, const std::function<void()>& thread);

/// Throws KernelFault, out of the thread that runs.
[[noreturn]] void fail(const std::string& message);

/// __syncthreads.
void wait_for_block(Place place);

/// Comes to barrier `barrier`, which opens for `num_threads` threads, and waits there or goes on.
void come_to_barrier(int barrier, int num_threads, bool waits, Place place);

/// setmaxnreg.
void change_registers(int num_registers);

/// Every lane of `mask` brings its argument; the last to come runs `together` over the arguments
/// by lane (null where not in the mask), and all go on. That all lanes of the mask came for the
/// same `name` at the same line is checked.
using Together = void (*)(uint32_t mask, void* const* arguments);
void meet_in_warp(const char* name, uint32_t mask, void* argument, Together together, Place place);

/// __syncwarp: a meeting that orders memory.
void wait_for_warp(uint32_t mask, Place place);

/// The block's shared array of the declaration `site`.
void* shared_array(const void* site, size_t bytes, const char* name);
void* dynamic_shared();

/// cp.async of 16 bytes: the destination is NaN until the copy lands, as late as it may.
void copy_async(void* to, const void* from, bool exists, Place place);
void copy_async_commit();
void copy_async_wait(int pending);

/// ldmatrix.m8n8.x4 and mma.m16n8k16 as portable.cuh describes them.
void load_matrices(uint32_t* registers, const void* row, bool transposed, Place place);
void multiply_add(float* d, const uint32_t* a, uint32_t b0, uint32_t b1, Place place);

/// Told of what kernels do; accesses of compiled code only where it was compiled to tell.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_launch(const Launch& launch) = 0;
  virtual void on_block() = 0;
  virtual void on_access(const void* address, size_t bytes, bool is_write, const void* code) = 0;
};

/// Null for none. Not owned.
void set_observer(Observer* observer);
Observer* current_observer();

/// Runs launches in the place of their host code, e.g. the PTX of the kernel. Not owned.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void run(const Launch& launch) = 0;
};
void set_executor(Executor* executor);

}  // namespace prescript::emulator
