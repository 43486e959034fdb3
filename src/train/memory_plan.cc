#include "train/memory_plan.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include "base/counted.h"
#include "base/error.h"

namespace prescript {
namespace {

constexpr double kBytesOfGb = 1e9;
constexpr double kPartsOfGb = 1000;  // so finely that shown parts sum up to what is shown of all

// Pages of code and heap that the first step touches: 3 to 4 MB, as measured.
constexpr uint64_t kPagesToCome = 4'000'000;

// What a message says is enough is so in the next process too, which may begin a little larger.
constexpr uint64_t kMargin = 10'000'000;

// Of the cpu backend: targets whose logits exist at a time; rows that a product holds packed, in
// pieces of so many units; scores of attention that exist at a time.
constexpr int64_t kLogitRows = 128;
constexpr int64_t kHeldRows = 192;
constexpr int64_t kPiece = 1024;
constexpr double kScores = 1 << 19;

// Of the cuda backend, beside the decoder's tables; card_scratch_bytes says what is in it.
constexpr uint64_t kCardScratch = uint64_t{512} << 20;

// The smallest passes that are worth it, and where larger ones gain nothing more: a card has more
// to fill.
constexpr int64_t kFewestRows = 256;
constexpr int64_t kMostRows = 2048;
constexpr int64_t kMostRowsOfCard = 16384;

// Where more rows than that go together, reading the weights weighs little.
constexpr int64_t kMostRowsTogether = 1 << 20;

// A soft prompt in float32 and its gradient in the backend; the same and the best beside them, and
// AdamW's two moments; soft prompt, best and moments once more in a checkpoint and twice in the
// bytes of its file. Adafactor's moments are one row and one column, which is next to nothing.
constexpr uint64_t kAdamWCopies = 2 + 5 + 3 * 4;
constexpr uint64_t kAdafactorCopies = 2 + 3 + 3 * 2;

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

/// In the system and the control group.
uint64_t free_bytes() {
  const uint64_t available = available_in_system().value_or(8'000'000'000);
  const auto group = available_in_group();
  return group ? std::min(available, *group) : available;
}

/// What is in memory of this process now.
uint64_t resident_bytes() {
  uint64_t size_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> size_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Of rotary positions.
uint64_t table_bytes(const DecoderConfig& config) {
  return sizeof(float) * static_cast<uint64_t>(config.max_positions * config.rotary_size *
                                               (config.local_rope ? 2 : 1));
}

/// Rounded up to a GB's `fraction`-th, but for a billionth: a limit of 1.1 GB stays that.
std::string in_gb(uint64_t bytes, double fraction = 100) {
  std::ostringstream text;
  text << std::ceil(static_cast<double>(bytes) / kBytesOfGb * fraction - 1e-7) / fraction << " GB";
  return text.str();
}

bool has_card(const RunMemory& run) {
  return run.ops.device_memory().has_value();
}

/// What a run takes at most of the memory that its plan divides.
std::vector<std::pair<const char*, uint64_t>> parts_of(const RunMemory& run, const RunPlan& plan) {
  const uint64_t weights = weight_bytes(run.ops, run.config, run.dtype, run.format, run.tensors);
  const uint64_t activations = training_bytes(run.ops, run.config, run.dtype, plan, run.held.most) +
                               KeyValueRun::bytes(run.config, run.dtype, run.held.head_start);
  if (has_card(run)) {
    return {
        {"weights", weights},
        {"activations", activations + card_soft_prompt_bytes(run.config, run.held.virtual_tokens)},
        {"scratch", card_scratch_bytes(run.config)}};
  }
  const MostRows& most = run.held.most;
  const int64_t rows =
      std::min(std::max(plan.max_rows, most.undivided), std::max(most.trained, most.scored));
  const double pairs = static_cast<double>(rows) * static_cast<double>(rows);
  const uint64_t scratch = scratch_bytes(run.config,
                                         run.dtype,
                                         run.process.num_threads,
                                         {.rows = rows, .targets = rows, .pairs = pairs});
  return {
      {"process", run.process.resident},
      {"model file", run.process.model_file},
      {"weights", weights},
      {"activations",
       activations + soft_prompt_bytes(run.config, run.held.optimizer, run.held.virtual_tokens)},
      {"scratch", scratch}};
}

}  // namespace

int64_t most_rows_of_step(const TrainingData& data,
                          int64_t batch_size,
                          int64_t num_candidates,
                          int64_t num_virtual_tokens,
                          bool share) {
  std::vector<int64_t> lengths;
  std::span<const int32_t> common;
  for (const TrainingExemplar& exemplar : data.train) {
    const std::vector<int32_t>& ids = exemplar.rendered.ids;
    lengths.push_back(std::ssize(ids));
    if (lengths.size() == 1) common = ids;
    const auto end = std::mismatch(common.begin(), common.end(), ids.begin(), ids.end()).first;
    common = common.first(static_cast<size_t>(end - common.begin()));
  }
  std::ranges::sort(lengths, std::greater<>());
  const int64_t prefix = share ? std::ssize(common) + num_virtual_tokens : 0;
  int64_t rows = prefix;
  // Where an epoch ends within a step, exemplars come twice: shared, they are computed once.
  const int64_t num_computed = share ? std::min(batch_size, std::ssize(lengths)) : batch_size;
  for (int64_t i = 0; i < num_computed; ++i) {
    rows += lengths[static_cast<size_t>(i) % lengths.size()] + num_virtual_tokens - prefix;
  }
  return num_candidates * rows;
}

int64_t rows_of_longest(const TrainingData& data, int64_t num_virtual_tokens) {
  int64_t longest = 0;
  for (const auto* exemplars : {&data.train, &data.validation}) {
    for (const TrainingExemplar& exemplar : *exemplars) {
      longest = std::max(longest, std::ssize(exemplar.rendered.ids));
    }
  }
  return longest + num_virtual_tokens;
}

int64_t most_rows_of_validation(const TrainingData& data,
                                int64_t num_candidates,
                                int64_t num_virtual_tokens) {
  int64_t rows = 0;
  for (const TrainingExemplar& exemplar : data.validation) {
    rows += std::ssize(exemplar.rendered.ids) + num_virtual_tokens;
  }
  return num_candidates * rows;
}

uint64_t default_memory_bytes() {
  return free_bytes() / 4 * 3 + resident_bytes();
}

uint64_t default_memory_bytes(const DeviceMemory& card) {
  return card.total == 0 ? UINT64_MAX : card.free - card.free / 16;
}

ProcessMemory process_memory(const TensorSource& tensors, int64_t num_threads) {
  ProcessMemory process{.resident = resident_bytes() + kPagesToCome, .num_threads = num_threads};
  for (const TensorInfo& tensor : tensors.list()) {
    process.model_file = std::max(process.model_file, tensor.bytes);
  }
  return process;
}

uint64_t scratch_bytes(const DecoderConfig& config,
                       DType dtype,
                       int64_t num_threads,
                       const ScratchExtents& extents) {
  constexpr int64_t kFloat = sizeof(float);
  const int64_t logit_bytes = kFloat + (dtype == DType::kBFloat16 ? kFloat / 2 : 0);
  const int64_t logits =
      std::min(kLogitRows, extents.targets) * config.vocabulary_size * logit_bytes;
  const int64_t attended = kFloat * extents.rows * config.query_size();
  // Long sums are held for the whole result.
  const bool is_long = config.hidden_size > kPiece;
  const int64_t sums = is_long ? config.gate_up_size() : config.hidden_size;
  const int64_t product = kFloat * kHeldRows * (kPiece + sums);
  const int64_t group = config.num_heads / config.num_kv_heads;
  const double pairs = static_cast<double>(group) * extents.pairs;
  const auto scores = static_cast<int64_t>(2 * kFloat * std::min(kScores, pairs));
  return table_bytes(config) +
         static_cast<uint64_t>(logits + attended + num_threads * (product + scores));
}

uint64_t soft_prompt_bytes(const DecoderConfig& config,
                           OptimizerKind optimizer,
                           int64_t virtual_tokens) {
  const bool is_factored = optimizer == OptimizerKind::kAdafactor;
  return (is_factored ? kAdafactorCopies : kAdamWCopies) * sizeof(float) *
         static_cast<uint64_t>(virtual_tokens * config.hidden_size);
}

uint64_t card_scratch_bytes(const DecoderConfig& config) {
  return kCardScratch + table_bytes(config);
}

uint64_t card_soft_prompt_bytes(const DecoderConfig& config, int64_t virtual_tokens) {
  return 2 * sizeof(float) * static_cast<uint64_t>(virtual_tokens * config.hidden_size);
}

std::optional<std::string> describe_excess(const RunMemory& run, const RunPlan& plan) {
  const uint64_t available = free_bytes() + resident_bytes();
  const uint64_t needed = needed_bytes(run, plan);
  if (has_card(run) || needed <= available) return std::nullopt;
  return "training.memory_gb: it allows a run of up to " + in_gb(needed) + ", and " +
         in_gb(available) + " are free; lower it, or close other programs";
}

RunPlan least_plan(std::optional<int64_t> max_rows) {
  return {.max_rows = max_rows.value_or(kFewestRows), .kept_layers = 0};
}

uint64_t needed_bytes(const RunMemory& run, const RunPlan& plan) {
  uint64_t sum = 0;
  for (const auto& [label, bytes] : parts_of(run, plan)) sum += bytes;
  return sum;
}

std::string describe_needs(const RunMemory& run, const RunPlan& plan) {
  std::string text;
  for (const auto& [label, bytes] : parts_of(run, plan)) {
    text += (text.empty() ? "" : ", ") + std::string(label) + " " + in_gb(bytes, kPartsOfGb);
  }
  return text;
}

namespace {

/// For a run that does not fit, joined by commas: those alone that can help it.
std::string remedies(const RunMemory& run, uint64_t memory_bytes, std::optional<int64_t> max_rows) {
  std::string text = run.is_limit_set ? "raise it" : "close other programs";
  const int64_t longest = run.held.most.undivided;
  if (max_rows.value_or(0) > std::max(kFewestRows, longest)) {
    text += ", lower training.micro_batch_tokens (of a new run)";
  } else if (longest > kFewestRows) {
    text +=
        ", shorten the longest exemplar, whose " + counted(longest, "row") + " are never divided";
  }
  RunMemory streamed = run;
  streamed.format = WeightFormat::kStreamed;
  const int64_t rows = least_plan(max_rows).max_rows;
  if (run.format != WeightFormat::kStreamed &&
      needed_bytes(streamed, {rows, 0, rows}) <= memory_bytes) {
    text += ", set weights.residence: streamed";
  }
  return text + (has_card(run) ? ", or use a larger card or a smaller base model"
                               : ", or use a smaller base model");
}

}  // namespace

RunPlan plan_memory(const RunMemory& run, uint64_t memory_bytes, std::optional<int64_t> max_rows) {
  /// The most layers that can be kept at this many rows, -1 where not even none fits.
  const auto kept_layers_that_fit = [&](int64_t rows, int64_t rows_together) {
    int64_t kept = run.config.num_layers;
    while (kept >= 0 && needed_bytes(run, {rows, kept, rows_together}) > memory_bytes) --kept;
    return kept;
  };
  std::vector<int64_t> candidates;
  if (max_rows) {
    candidates = {*max_rows};
  } else {
    int64_t rows = has_card(run) ? kMostRowsOfCard : kMostRows;
    for (; rows >= kFewestRows; rows /= 2) candidates.push_back(rows);
  }
  if (run.format == WeightFormat::kStreamed) {
    // Reading weights again costs more than computing activations again.
    const int64_t most = std::min(run.held.most.trained, kMostRowsTogether);
    for (int64_t together = most; together >= candidates.back(); together /= 2) {
      for (const int64_t rows : candidates) {
        const int64_t kept = kept_layers_that_fit(rows, together);
        if (kept >= 0) return {rows, kept, together};
      }
    }
  }
  // Recomputing costs a third of a step more; passes below 1024 rows are less efficient.
  for (const bool all_kept : {true, false}) {
    for (const int64_t rows : candidates) {
      if (!max_rows && all_kept && rows < 1024) continue;
      if (!max_rows && !all_kept && rows > 1024) continue;
      const int64_t kept = kept_layers_that_fit(rows, 0);
      if (all_kept ? kept == run.config.num_layers : kept >= 0) {
        return {.max_rows = rows, .kept_layers = kept};
      }
    }
  }
  const RunPlan least = least_plan(max_rows);
  throw DeviceError(
      "training.memory_gb: " + in_gb(memory_bytes) + (has_card(run) ? " of the card" : "") +
      " is too little; at " + counted(least.max_rows, "row") + " a pass " +
      in_gb(needed_bytes(run, least) + kMargin) + " are enough: " + describe_needs(run, least) +
      "; " + remedies(run, memory_bytes, max_rows));
}

}  // namespace prescript
