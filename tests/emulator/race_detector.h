#pragma once
// Finds accesses of two threads that nothing orders, and accesses outside of buffers, in kernels
// compiled with -fsanitize=thread (race_hooks.cc stands in the place of that sanitizer's library)
// and in interpreted PTX. It does not depend on the order in which threads happened to run.

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "emulator/runtime.h"

namespace prescript::emulator {

struct RaceReport {
  enum class Kind {
    kReadAfterWrite,
    kWriteAfterWrite,
    kWriteAfterRead,
    kUninitialized,  // a read of shared memory that nobody wrote
    kOutOfBounds,
    kMisaligned,
  };
  Kind kind;
  std::string kernel;
  const void* code = nullptr;        // where the access was made
  const void* other_code = nullptr;  // and the one that it races with
  uint64_t thread = 0;
  uint64_t other_thread = 0;
  size_t offset = 0;  // in the buffer

  /// With source lines, where binutils is installed.
  std::string describe() const;
};

/// Observes from its construction to its end.
///
/// Two accesses of a byte, at least one a write, race if their threads are of different blocks, or
/// of one block with no barrier between that both came to, directly or through others, unless they
/// are of one warp with a __syncwarp between. Shuffles and votes order nothing. It knows of pairs
/// of bytes, and of the last two readers of each: nothing that kernels share is narrower.
class RaceDetector final : public Observer {
 public:
  RaceDetector() { set_observer(this); }
  ~RaceDetector() override { set_observer(nullptr); }
  RaceDetector(const RaceDetector&) = delete;
  RaceDetector& operator=(const RaceDetector&) = delete;

  /// One report for each pair of places in the code.
  const std::vector<RaceReport>& reports() const { return reports_; }
  std::string describe() const;

  void on_launch(const Launch& launch) override;
  void on_block() override { ++block_; }
  void on_access(const void* address, size_t bytes, bool is_write, const void* code) override;

 private:
  struct Access {
    uint64_t thread = 0;  // of the grid, plus one; 0 for none
    uint32_t block_interval = 0;
    uint32_t warp_interval = 0;
    const void* code = nullptr;
  };
  struct Pair {          // of bytes
    uint64_t epoch = 0;  // of the launch, or of the block for shared memory
    Access write;
    Access reads[2];
  };

  std::vector<Pair>& shadow_of(const struct Allocation& allocation);
  bool is_unordered(const Access& earlier) const;
  bool check_pair(Pair& pair, bool is_shared, bool is_write, const void* code, size_t offset);
  void report(RaceReport::Kind kind, const void* code, const Access& other, size_t offset);

  std::string kernel_;
  uint64_t threads_of_block_ = 1;
  uint64_t launch_ = 0;
  uint64_t block_ = 0;
  std::map<const void*, std::pair<uint64_t, std::vector<Pair>>> shadows_;  // by begin; with id
  uint64_t shadow_id_ = 0;
  std::vector<Pair>* shadow_ = nullptr;  // the one used last
  std::map<std::tuple<RaceReport::Kind, const void*, const void*>, bool> seen_;
  std::vector<RaceReport> reports_;
};

}  // namespace prescript::emulator
