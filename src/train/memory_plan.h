#pragma once
// How a run divides its steps so that they fit into memory.

#include <cstdint>
#include <optional>

#include "model/forest_run.h"

namespace prescript {

/// Memory that a run may use by default: three quarters of what is available to this process now
/// (the system's and its control group's), in bytes.
uint64_t default_memory_bytes();

/// The plan of a run: weights and activations stay within `memory_bytes`. Without `max_rows` the
/// largest of 4096, 2048, 1024, 512 and 256 rows that fits with every activation kept, of the
/// smaller ones with recomputation; bits depend on the rows of a pass, not on what is kept.
/// Throws DeviceError (exit 5) with the breakdown when nothing fits.
RunPlan plan_memory(const Ops& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    uint64_t memory_bytes,
                    std::optional<int64_t> max_rows);

}  // namespace prescript
