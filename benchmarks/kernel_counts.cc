// What each kernel does, counted on the emulator, where its PTX runs: a line of JSON for each on
// stdout. scripts/dev kernels makes a table of them.
//
//   prescript_kernel_counts FOLDER      of .ptx files

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "card_bench.h"
#include "emulator/host_symbols.h"
#include "emulator/memory.h"
#include "emulator/ptx_executor.h"
#include "emulator/ptx_thread.h"
#include "emulator/runtime.h"

namespace prescript::bench {
namespace {

constexpr size_t kLanes = 32;
constexpr uint64_t kSectorBytes = 32;
constexpr uint64_t kWordBytes = 4;
constexpr uint64_t kBanks = 32;
constexpr size_t kWavefrontBytes = kBanks * kWordBytes;

/// Of all launches of a kernel.
struct Counts {
  int64_t launches = 0;
  int64_t threads = 0;
  size_t dynamic_shared = 0;
  uint64_t instructions = 0;   // of threads
  uint64_t sectors = 0;        // of global memory, that warps ask for
  uint64_t least_sectors = 0;  // as many bytes side by side take
  uint64_t wavefronts = 0;     // of shared memory
  uint64_t conflicts = 0;      // more of them than as many bytes take
};

/// Of one instruction that the lanes of a warp run together.
struct WarpAccess {
  size_t bytes = 0;  // of a lane
  bool is_shared = false;
  std::vector<uintptr_t> addresses;
};

/// Wavefronts of shared memory: as many lanes as 128 bytes serve at a time, of which those that
/// want different words of one bank wait for each other.
uint64_t wavefronts_of(const WarpAccess& access) {
  const size_t together = std::max<size_t>(1, std::min(kLanes, kWavefrontBytes / access.bytes));
  uint64_t wavefronts = 0;
  for (size_t first = 0; first < access.addresses.size(); first += together) {
    std::array<std::vector<uint64_t>, kBanks> words;
    const size_t last = std::min(first + together, access.addresses.size());
    for (size_t lane = first; lane < last; ++lane) {
      for (size_t offset = 0; offset < access.bytes; offset += kWordBytes) {
        const uint64_t word = (access.addresses[lane] + offset) / kWordBytes;
        auto& of_bank = words[word % kBanks];
        if (std::ranges::find(of_bank, word) == of_bank.end()) of_bank.push_back(word);
      }
    }
    size_t longest = 0;
    for (const auto& of_bank : words) longest = std::max(longest, of_bank.size());
    wavefronts += longest;
  }
  return wavefronts;
}

class Counter final : public emulator::Observer {
 public:
  Counter() { set_observer(this); }
  ~Counter() override { emulator::set_observer(nullptr); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  void on_launch(const emulator::Launch& launch) override {
    finish();
    Counts& counts = by_function_[launch.function];
    ++counts.launches;
    counts.threads =
        std::max<int64_t>(counts.threads, launch.block.x * launch.block.y * launch.block.z);
    running_ = &counts;
    begun_at_ = emulator::PtxThread::num_instructions;
  }

  void on_block() override { add_accesses(); }

  void on_access(const void* address, size_t bytes, bool /*is_write*/, const void* code) override {
    if (running_ == nullptr || bytes == 0) return;
    const emulator::ThreadState& thread = *emulator::running;
    const uint64_t turn = turns_[{code, thread.linear}]++;
    const emulator::Allocation* const buffer = emulator::find_allocation(address);
    if (buffer == nullptr) return;
    WarpAccess& access = accesses_[{thread.warp, code, turn}];
    access.bytes = bytes;
    access.is_shared = buffer->is_shared;
    access.addresses.push_back(reinterpret_cast<uintptr_t>(address));
  }

  /// As the host asks for it: on_launch hears of static shared memory too.
  void on_request(const emulator::Launch& launch) {
    size_t& bytes = by_function_[launch.function].dynamic_shared;
    bytes = std::max(bytes, launch.shared_bytes);
  }

  void print() {
    finish();
    for (const auto& [function, counts] : by_function_) {
      const auto names = emulator::symbols_at(function);
      if (names.empty()) continue;
      const auto each = [&](uint64_t sum) {
        return static_cast<double>(sum) / static_cast<double>(counts.launches);
      };
      const nlohmann::ordered_json line = {{"symbol", names.front()},
                                           {"launches", counts.launches},
                                           {"threads", counts.threads},
                                           {"dynamic_shared", counts.dynamic_shared},
                                           {"instructions", each(counts.instructions)},
                                           {"sectors", each(counts.sectors)},
                                           {"least_sectors", each(counts.least_sectors)},
                                           {"wavefronts", each(counts.wavefronts)},
                                           {"conflicts", each(counts.conflicts)}};
      std::printf("%s\n", line.dump().c_str());
    }
  }

 private:
  void finish() {
    add_accesses();
    if (running_ == nullptr) return;
    running_->instructions += emulator::PtxThread::num_instructions - begun_at_;
    running_ = nullptr;
  }

  /// Of the block that has ended.
  void add_accesses() {
    for (const auto& [key, access] : accesses_) {
      std::vector<uintptr_t> wanted = access.addresses;  // once, however many lanes want it
      std::ranges::sort(wanted);
      wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
      const uint64_t bytes = access.bytes * wanted.size();
      if (access.is_shared) {
        const uint64_t wavefronts = wavefronts_of(access);
        running_->wavefronts += wavefronts;
        running_->conflicts +=
            wavefronts -
            std::min<uint64_t>(wavefronts, (bytes + kWavefrontBytes - 1) / kWavefrontBytes);
        continue;
      }
      std::vector<uint64_t> sectors;
      for (const uintptr_t address : wanted) {
        for (uintptr_t at = address / kSectorBytes;
             at <= (address + access.bytes - 1) / kSectorBytes;
             ++at) {
          sectors.push_back(at);
        }
      }
      sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
      running_->sectors += sectors.size();
      running_->least_sectors += (bytes + kSectorBytes - 1) / kSectorBytes;
    }
    accesses_.clear();
    turns_.clear();
  }

  std::map<const void*, Counts> by_function_;
  Counts* running_ = nullptr;
  uint64_t begun_at_ = 0;
  std::map<std::pair<const void*, unsigned>, uint64_t> turns_;  // of an instruction, by threads
  std::map<std::tuple<unsigned, const void*, uint64_t>, WarpAccess> accesses_;
};

/// Tells the counter of a launch and runs it.
class CountedExecutor final : public emulator::Executor {
 public:
  CountedExecutor(const std::string& folder, Counter& counter) : ptx_(folder), counter_(counter) {
    emulator::set_executor(this);
  }
  ~CountedExecutor() override { emulator::set_executor(nullptr); }
  CountedExecutor(const CountedExecutor&) = delete;
  CountedExecutor& operator=(const CountedExecutor&) = delete;

  void run(const emulator::Launch& launch) override {
    counter_.on_request(launch);
    ptx_.run(launch);
  }

 private:
  emulator::PtxExecutor ptx_;
  Counter& counter_;
};

/// Whole rows of an 8B model, but few of them.
Extents counted_extents() {
  Extents extents = Extents::small();
  extents.rows = 8;
  extents.hidden = 4096;
  extents.feed_forward = 256;
  extents.vocabulary = 512;
  extents.targets = 2;
  extents.heads = 4;
  extents.kv_heads = 2;
  extents.head_size = 128;
  extents.causal_rows = 64;
  extents.shared_rows = 64;
  extents.leaves = 2;
  extents.leaf_rows = 16;
  return extents;
}

}  // namespace
}  // namespace prescript::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: prescript_kernel_counts FOLDER\n", stderr);
    return 2;
  }
  try {
    prescript::bench::Counter counter;
    const prescript::bench::CountedExecutor executor(argv[1], counter);
    std::FILE* const quiet = std::fopen("/dev/null", "w");
    prescript::bench::CardBench bench(prescript::bench::counted_extents(), "", quiet);
    prescript::bench::measure_rows(bench);
    prescript::bench::measure_attention(bench);
    counter.print();
    std::fclose(quiet);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
