#pragma once
// What a reading command found out, as JSON or as aligned text.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace prescript {

/// One line of JSON. Bytes that are not UTF-8 become U+FFFD.
std::string json_line(const nlohmann::ordered_json& value);

/// Text for a terminal: bytes that are not UTF-8 become U+FFFD, control characters other than
/// newline and tab become \xNN, so that no input can drive the terminal.
std::string printable(std::string_view text);

/// Writes an object to stdout: one line of JSON, or one line a member with nested objects indented.
void write_facts(const nlohmann::ordered_json& facts, bool as_json);

}  // namespace prescript
