#pragma once
// The files of an adapter: PEFT's prompt tuning, and prescript.json beside them
// (docs/ADAPTER_FORMAT.md).

#include <map>
#include <string>

#include "adapter/adapter.h"

namespace prescript {

/// Reads a directory that this program or PEFT wrote. Throws InputError(kModel), each with its own
/// message: not an adapter, a changed file (any bit), pickle, another kind of adapter, non-finite
/// values, extra or missing tensors, shapes that disagree with the configuration.
Adapter read_adapter(const std::string& dir);

/// The files of an adapter by name, in memory: adapter_config.json and adapter_model.safetensors
/// (position start; soft_prompt.safetensors for the others, which PEFT must not load), and
/// prescript.json. The same adapter gives the same bytes. Throws InputError(kNotFinite) for values
/// that are not finite.
std::map<std::string, std::string> adapter_files(const Adapter& adapter);

/// Replacing a directory deletes what it holds: throws InputError(kUsage) when `dir` is there and
/// is neither empty nor an adapter of prescript.
void check_adapter_replaceable(const std::string& dir);

/// Makes `dir` hold exactly these files, whole or not at all (0600); an adapter that is there is
/// replaced in one step. Throws DeviceError, and InputError(kUsage) when the parent is absent or
/// not writable, or something other than an adapter of ours is there.
void publish_adapter(const Adapter& adapter, const std::string& dir);

}  // namespace prescript
