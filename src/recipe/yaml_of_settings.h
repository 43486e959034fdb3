#pragma once
// Settings as YAML text.

#include <span>
#include <string>
#include <utility>

namespace prescript {

/// Of pairs (key path, YAML text of its value): the text that reads back as the same values. Keys
/// of a group stand together; "null" is left out.
std::string yaml_of_settings(std::span<const std::pair<std::string, std::string>> settings);

}  // namespace prescript
