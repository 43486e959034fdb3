#include "train/memory_plan.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"

namespace prescript {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

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

std::string in_gib(uint64_t bytes) {
  std::ostringstream text;
  text.precision(3);
  text << static_cast<double>(bytes) / static_cast<double>(kGiB) << " GiB";
  return text.str();
}

}  // namespace

uint64_t default_memory_bytes() {
  uint64_t available = available_in_system().value_or(8 * kGiB);
  if (const auto group = available_in_group()) available = std::min(available, *group);
  return available / 4 * 3;
}

RunPlan plan_memory(const Ops& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    uint64_t memory_bytes,
                    std::optional<int64_t> max_rows) {
  const uint64_t weights = weight_bytes(config, dtype);
  const auto needed = [&](const RunPlan& plan) {
    return weights + training_bytes(ops, config, dtype, plan);
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
  const uint64_t least = needed({.max_rows = rows, .kept_layers = 0});
  throw DeviceError("training needs " + in_gib(least) + " at " + std::to_string(rows) +
                    " rows a pass: weights " + in_gib(weights) + ", activations " +
                    in_gib(least - weights) + "; training.memory_gb allows " +
                    in_gib(memory_bytes) +
                    "; close other programs, raise it, or use a smaller base model");
}

}  // namespace prescript
