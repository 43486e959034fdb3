#pragma once
// What a reading command found out, as JSON or as aligned text.

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace prescript {

/// One line of JSON. Bytes that are not UTF-8 become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

/// Writes an object to stdout: one line of JSON, or one line a member with nested objects indented
/// and what is absent or empty left out.
void write_facts(const nlohmann::ordered_json& facts, bool as_json);

}  // namespace prescript
