#pragma once
// UTF-8: what is valid, and where a character ends.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace prescript {

/// The offset of the first byte that does not belong to valid UTF-8 (overlong forms, surrogates
/// and values above U+10FFFF are not valid); nothing when all of `text` is valid.
std::optional<size_t> first_invalid_utf8(std::string_view text);

/// The length of `bytes` without a character that has begun and not ended: what a stream of token
/// bytes may print now. Bytes that can never become UTF-8 count as ended.
size_t complete_utf8_length(std::string_view bytes);

/// The character at `position` of valid UTF-8; moves `position` behind it.
char32_t next_character(std::string_view text, size_t& position);

void append_utf8(char32_t character, std::string& text);

}  // namespace prescript
