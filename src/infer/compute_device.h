#pragma once
// Where a model is computed: the backend that `device: cpu | cuda | auto` means here.

#include <memory>
#include <string>

#include "ops/ops.h"

namespace prescript {

/// "cpu" or "cuda": `auto` is cuda where this build has it and this machine a card, else cpu.
/// Throws InputError(kUsage) for any other word.
std::string settle_device(const std::string& device);

/// Whether `device` can compute here. Throws InputError(kUsage) for an unknown one.
bool is_device_here(const std::string& device);

/// Throws InputError(kUsage) for a device that is unknown or not here.
void check_device(const std::string& device);

/// The backend of `device`, which must be here. `num_threads` are those of the processor; 0:
/// default_num_threads().
std::unique_ptr<Ops> make_ops(const std::string& device, int num_threads);

/// The cuda backend as a memory plan sees it where it is not here: a card of any size.
const BackendTraits& absent_cuda();

/// "cpu", or "cuda" with its card, driver and toolkit.
std::string describe_device(const BackendTraits& ops);

}  // namespace prescript
