#include "io/text_place.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace prescript {
namespace {

/// The length of the UTF-8 character that `text` begins with; 0 when it begins with none.
size_t character_length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto length = static_cast<size_t>(std::countl_one(byte(0)));
  if (length == 0) return 1;
  if (length == 1 || length > 4 || length > text.size()) return 0;
  uint32_t character = byte(0) & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    character = character << 6 | (byte(i) & 0x3Fu);
  }
  constexpr uint32_t kSmallest[] = {0x80, 0x800, 0x10000};  // of two, three and four bytes
  const bool is_surrogate = character >= 0xD800 && character < 0xE000;
  return character < kSmallest[length - 2] || character > 0x10FFFF || is_surrogate ? 0 : length;
}

}  // namespace

TextPlace::TextPlace(std::string_view text, std::string place, ExitCode code)
    : text_(text), place_(std::move(place)), code_(code), line_begins_{0} {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_begins_.push_back(i + 1);
  }
}

TextPlace::Position TextPlace::position(size_t offset) const {
  const auto next_line = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  return {.line = static_cast<int>(next_line - line_begins_.begin()),
          .column = static_cast<int>(offset - *std::prev(next_line)) + 1};
}

void TextPlace::fail(size_t offset, const std::string& message) const {
  const auto [line, column] = position(offset);
  throw InputError(
      code_, place_ + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message);
}

void TextPlace::require_utf8_text() const {
  for (size_t at = 0; at < text_.size();) {
    const auto byte = static_cast<unsigned char>(text_[at]);
    if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) {
      fail(at, "a control character (byte " + std::to_string(byte) + "); remove or escape it");
    }
    const size_t length = character_length(text_.substr(at));
    if (length == 0) {
      fail(at, "byte " + std::to_string(byte) + " is not UTF-8; save the text as UTF-8");
    }
    at += length;
  }
}

}  // namespace prescript
