#include "text/utf8.h"

#include <algorithm>
#include <array>

namespace prescript {
namespace {

struct Form {
  size_t length;            // bytes of the character; 0: not a first byte
  unsigned char low, high;  // limits of its second byte (Unicode 15, table 3-7)
};

constexpr Form form_of(unsigned char first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xc2) return {0, 0, 0};
  if (first < 0xe0) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};
  if (first < 0xf0) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first < 0xf4) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

/// How many of the first bytes of `bytes` can begin the character of that form.
size_t valid_bytes(std::string_view bytes, const Form& form) {
  size_t count = 1;
  for (; count < std::min(form.length, bytes.size()); ++count) {
    const auto byte = static_cast<unsigned char>(bytes[count]);
    const bool valid = count == 1 ? byte >= form.low && byte <= form.high : (byte & 0xc0) == 0x80;
    if (!valid) break;
  }
  return count;
}

}  // namespace

std::optional<size_t> first_invalid_utf8(std::string_view text) {
  for (size_t position = 0; position < text.size();) {
    const Form form = form_of(static_cast<unsigned char>(text[position]));
    if (form.length == 0 || valid_bytes(text.substr(position), form) < form.length) return position;
    position += form.length;
  }
  return std::nullopt;
}

size_t complete_utf8_length(std::string_view bytes) {
  for (size_t back = 1; back <= std::min<size_t>(3, bytes.size()); ++back) {
    const std::string_view tail = bytes.substr(bytes.size() - back);
    const auto first = static_cast<unsigned char>(tail[0]);
    if ((first & 0xc0) == 0x80) continue;
    const Form form = form_of(first);
    const bool unfinished = form.length > back && valid_bytes(tail, form) == back;
    return unfinished ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

char32_t next_character(std::string_view text, size_t& position) {
  const auto first = static_cast<unsigned char>(text[position]);
  const size_t length = form_of(first).length;
  char32_t character = length == 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    character = character << 6 | (static_cast<unsigned char>(text[position + i]) & 0x3fu);
  }
  position += length;
  return character;
}

void append_utf8(char32_t character, std::string& text) {
  const auto continuation = [&](int shift) {
    text += static_cast<char>(0x80 | (character >> shift & 0x3f));
  };
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xc0 | character >> 6);
    continuation(0);
  } else if (character < 0x10000) {
    text += static_cast<char>(0xe0 | character >> 12);
    continuation(6);
    continuation(0);
  } else {
    text += static_cast<char>(0xf0 | character >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

}  // namespace prescript
