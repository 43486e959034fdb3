#pragma once
// prescript.json: what an adapter belongs to, how it is used, and the hashes of its files
// (docs/ADAPTER_FORMAT.md).

#include <map>
#include <string>
#include <string_view>

#include "adapter/adapter.h"

namespace prescript {

/// Names of the files of an adapter; part of the on-disk format.
inline constexpr const char* kPrescriptJson = "prescript.json";
inline constexpr const char* kPeftConfig = "adapter_config.json";
inline constexpr const char* kPeftTensors = "adapter_model.safetensors";
/// The tensor where PEFT's files would mean another position than the adapter's.
inline constexpr const char* kOwnTensors = "soft_prompt.safetensors";

/// The text. `files`: name -> SHA-256 of the other files. Throws InputError(kNotFinite) for a
/// metric that is not finite.
std::string prescript_json(const Adapter& adapter, const std::map<std::string, std::string>& files);

struct PrescriptJson {
  Adapter adapter;  // all but prompt.values_PD
  std::map<std::string, std::string> files;
};

/// Throws InputError(kModel) for a text in which any bit was changed, and for one that a newer
/// version wrote.
PrescriptJson parse_prescript_json(std::string_view text, const std::string& path);

}  // namespace prescript
