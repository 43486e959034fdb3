#pragma once
// Bytes as printable text (RFC 4648, section 4).

#include <optional>
#include <string>
#include <string_view>

namespace prescript {

/// The bytes that `text` spells, padding included and no line breaks; nothing where it is not
/// base64.
std::optional<std::string> bytes_of_base64(std::string_view text);

}  // namespace prescript
