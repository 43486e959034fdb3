#include "train/memory_plan.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/counted.h"
#include "base/error.h"

namespace prescript {
namespace {

constexpr double kBytesOfGb = 1e9;

// Pages of LibTorch that the first step touches: 50 to 70 MB, as measured.
constexpr uint64_t kPagesToCome = 70'000'000;

// What a message says is enough is so in the next process too, which may begin a little larger.
constexpr uint64_t kMargin = 10'000'000;

// Of the cpu backend: 128 targets' float32 logits, and in bfloat16 their gradients or, where a row
// is long, their sums; packed operands, sums, and the scores of a block of attention with their
// gradients.
constexpr uint64_t kLogitRows = 2 * 128;
constexpr uint64_t kScratchOfThread = 20'000'000;

// A soft prompt in float32 and its gradient in the backend; the same, two moments and the best
// beside them; the latter four once more in a checkpoint and twice in the bytes of its file.
constexpr uint64_t kSoftPromptCopies = 2 + 5 + 3 * 4;

/// "MemAvailable:  123 kB" of /proc/meminfo.
std::optional<uint64_t> available_in_system() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    uint64_t kilobytes = 0;
    if (words >> name >> kilobytes && name == "MemAvailable:") return kilobytes << 10;
  }
  return std::nullopt;
}

/// What the control group (version 2) leaves; nothing where it sets no limit.
std::optional<uint64_t> available_in_group() {
  uint64_t limit = 0;
  uint64_t used = 0;
  if (!(std::ifstream("/sys/fs/cgroup/memory.max") >> limit)) return std::nullopt;  // "max"
  if (!(std::ifstream("/sys/fs/cgroup/memory.current") >> used)) return std::nullopt;
  return limit > used ? limit - used : 0;
}

/// What is in memory of this process now.
uint64_t resident_bytes() {
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string in_gb(uint64_t bytes) {
  std::ostringstream text;
  text << std::ceil(static_cast<double>(bytes) / kBytesOfGb * 100) / 100 << " GB";
  return text.str();
}

}  // namespace

uint64_t default_memory_bytes() {
  uint64_t available = available_in_system().value_or(8'000'000'000);
  if (const auto group = available_in_group()) available = std::min(available, *group);
  return available / 4 * 3 + resident_bytes();
}

ProcessMemory process_memory(const DecoderConfig& config,
                             const TensorSource& tensors,
                             int64_t num_threads) {
  ProcessMemory process{.resident = resident_bytes() + kPagesToCome};
  for (const TensorInfo& tensor : tensors.list()) {
    process.model_file = std::max(process.model_file, tensor.bytes);
  }
  const auto V = static_cast<uint64_t>(config.vocabulary_size);
  const auto rotary = static_cast<uint64_t>(config.max_positions * config.head_size);
  process.scratch = sizeof(float) * (kLogitRows * V + rotary) +
                    kScratchOfThread * static_cast<uint64_t>(num_threads);
  return process;
}

RunPlan plan_memory(const Ops& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    WeightFormat format,
                    const ProcessMemory& process,
                    const HeldRows& held,
                    uint64_t memory_bytes,
                    std::optional<int64_t> max_rows) {
  const uint64_t weights = weight_bytes(config, dtype, format);
  const auto activations = [&](const RunPlan& plan) {
    return training_bytes(ops, config, dtype, plan) +
           KeyValueRun::bytes(config, dtype, held.head_start) +
           kSoftPromptCopies * sizeof(float) *
               static_cast<uint64_t>(held.virtual_tokens * config.hidden_size);
  };
  const auto needed = [&](const RunPlan& plan) {
    return process.resident + process.model_file + process.scratch + weights + activations(plan);
  };
  /// The most layers that can be kept at this many rows, -1 where not even none fits.
  const auto kept_layers_that_fit = [&](int64_t rows) {
    int64_t kept = config.num_layers;
    while (kept >= 0 && needed({.max_rows = rows, .kept_layers = kept}) > memory_bytes) --kept;
    return kept;
  };
  const std::vector<int64_t> candidates =
      max_rows ? std::vector<int64_t>{*max_rows} : std::vector<int64_t>{4096, 2048, 1024, 512, 256};
  // Recomputing costs a third of a step more; passes below 1024 rows are less efficient.
  for (const bool all_kept : {true, false}) {
    for (const int64_t rows : candidates) {
      if (!max_rows && all_kept && rows < 1024) continue;
      if (!max_rows && !all_kept && rows > 1024) continue;
      const int64_t kept = kept_layers_that_fit(rows);
      if (all_kept ? kept == config.num_layers : kept >= 0) {
        return {.max_rows = rows, .kept_layers = kept};
      }
    }
  }
  const int64_t rows = candidates.back();
  const RunPlan least{.max_rows = rows, .kept_layers = 0};
  throw DeviceError("training.memory_gb: " + in_gb(memory_bytes) + " is too little; at " +
                    counted(rows, "row") + " a pass training takes at least " +
                    in_gb(needed(least) + kMargin) + ": process " + in_gb(process.resident) +
                    ", model file " + in_gb(process.model_file) + ", weights " + in_gb(weights) +
                    ", activations " + in_gb(activations(least)) + ", scratch " +
                    in_gb(process.scratch) +
                    "; raise it and close other programs, lower training.micro_batch_tokens, or "
                    "use a smaller base model");
}

}  // namespace prescript
