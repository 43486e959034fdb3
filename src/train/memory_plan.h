#pragma once
// How a run divides its steps so that they fit into memory.

#include <cstdint>
#include <optional>
#include <string>

#include "io/tensor_source.h"
#include "model/forest_run.h"
#include "train/optimizer.h"
#include "train/training_data.h"

namespace prescript {

/// Memory that the process may take by default: what it holds, and three quarters of what is free
/// (in the system and its control group), in bytes.
uint64_t default_memory_bytes();

/// The same of a card: all but a sixteenth of what is free, since blocks are rounded up. Of a card
/// that is not here (`total` 0) there is no limit.
uint64_t default_memory_bytes(const DeviceMemory& card);

/// Bytes that a process takes beside the weights and activations of a run.
struct ProcessMemory {
  uint64_t resident = 0;    // code, LibTorch, tokenizer, exemplars
  uint64_t model_file = 0;  // its pages, which are held for one tensor at a time
  int64_t num_threads = 1;
};

/// Asks the system, and estimates what will follow; before weights are loaded.
ProcessMemory process_memory(const TensorSource& tensors, int64_t num_threads);

/// What the scratch of the cpu backend's operations follows from, at most.
struct ScratchExtents {
  int64_t rows = 0;     // of a pass
  int64_t targets = 0;  // of a pass
  double pairs = 0;     // of query and key in a part
};

/// Bytes that the operations of the cpu backend hold from call to call, and the decoder's tables.
uint64_t scratch_bytes(const DecoderConfig& config,
                       DType dtype,
                       int64_t num_threads,
                       const ScratchExtents& extents);

/// Bytes that so many virtual tokens take, with gradients, moments, the best of them, and a
/// checkpoint.
uint64_t soft_prompt_bytes(const DecoderConfig& config,
                           OptimizerKind optimizer,
                           int64_t virtual_tokens);

/// The same of the cuda backend, on the card: logits of a chunk of targets (at most 256 MiB), the
/// workspace of cuBLASLt (64 MiB), plans of attention and numbers on their way (64 MiB each), and
/// the decoder's tables.
uint64_t card_scratch_bytes(const DecoderConfig& config);

/// What so many virtual tokens take on a card: themselves and their gradients.
uint64_t card_soft_prompt_bytes(const DecoderConfig& config, int64_t virtual_tokens);

/// Rows of a run's sequences.
struct HeldRows {
  int64_t head_start = 0;      // whose K/V are held, from the first step to the last
  int64_t virtual_tokens = 0;  // of all candidates
  MostRows most = {};
  OptimizerKind optimizer = OptimizerKind::kAdamW;
};

/// What the memory of a run follows from, beside its plan. `ops` must outlive it.
struct RunMemory {
  const BackendTraits& ops;
  DecoderConfig config = {};
  DType dtype = DType::kBFloat16;
  WeightFormat format = WeightFormat::kConverted;
  ProcessMemory process = {};
  HeldRows held = {};
  const TensorSource* tensors = nullptr;  // of the base model: weights on a card may stay as stored
  bool is_limit_set = false;              // by the recipe; else what is free
};

/// Rows that a step computes at most: of the longest exemplars behind all that they have in common.
int64_t most_rows_of_step(const TrainingData& data,
                          int64_t batch_size,
                          int64_t num_candidates,
                          int64_t num_virtual_tokens,
                          bool share);

/// Rows that a validation computes at most: all exemplars, with nothing shared.
int64_t most_rows_of_validation(const TrainingData& data,
                                int64_t num_candidates,
                                int64_t num_virtual_tokens);

/// Rows of the longest exemplar.
int64_t rows_of_longest(const TrainingData& data, int64_t num_virtual_tokens);

/// Bytes that a run takes at most: of the card where the backend has one, else of the process.
uint64_t needed_bytes(const RunMemory& run, const RunPlan& plan);

/// "process 0.1 GB, model file 0.03 GB, weights 0.3 GB, ...": the parts of needed_bytes.
std::string describe_needs(const RunMemory& run, const RunPlan& plan);

/// A warning where the process will take more than it holds and is free, which a limit that was set
/// allows.
std::optional<std::string> describe_excess(const RunMemory& run, const RunPlan& plan);

/// The plan of a run: it stays within `memory_bytes`. Without `max_rows` the largest number of rows
/// that fits with every activation kept, of 2048, 1024, 512 and 256 or, on a card, of 16384, 8192,
/// ...; of the smaller ones with recomputation; bits depend on the rows of a pass, not on what is
/// kept. Where weights are streamed, as many rows of a step as fit go through a layer together.
/// Throws DeviceError (exit 5) with the breakdown and the least that would do when nothing fits.
RunPlan plan_memory(const RunMemory& run, uint64_t memory_bytes, std::optional<int64_t> max_rows);

/// The plan that takes the least memory, for a run that does not fit.
RunPlan least_plan(std::optional<int64_t> max_rows);

}  // namespace prescript
