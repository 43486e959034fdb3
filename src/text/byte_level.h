#pragma once
// The alphabet of byte-level vocabularies: every byte has a printable character of its own, so that
// a piece is always text ("Ġthe" spells " the"). The bytes 33-126, 161-172 and 174-255 are their
// own characters; the others, in order, are U+0100 and on (GPT-2's bytes_to_unicode).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace prescript {

/// The character of a byte, in UTF-8.
const std::string& byte_symbol(uint8_t byte);

/// The bytes that a piece spells; nothing when it holds a character outside of the alphabet.
/// `piece` is valid UTF-8.
std::optional<std::string> bytes_of_piece(std::string_view piece);

}  // namespace prescript
