#pragma once
// What prescript inspect says, one function a kind of thing.

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace prescript {

/// Facts as an object that begins with {"kind", "path"}; each throws InputError for what it cannot
/// read.
nlohmann::ordered_json inspect_model(const std::string& path);
nlohmann::ordered_json inspect_adapter(const std::string& dir);
nlohmann::ordered_json inspect_exemplars(const std::string& path);
nlohmann::ordered_json inspect_checkpoint(const std::string& path);
nlohmann::ordered_json inspect_run(const std::string& dir);

}  // namespace prescript
