#include "text/jinja_text.h"

#include <algorithm>
#include <cstring>

#include "text/utf8.h"

namespace prescript::jinja {
namespace {

/// The offset where the character before `end` begins.
size_t previous_begin(std::string_view text, size_t end) {
  do {
    --end;
  } while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  return end;
}

std::vector<std::string_view> split_at_space(std::string_view text, size_t max_splits) {
  std::vector<std::string_view> parts;
  text = strip(text, std::nullopt, Side::kLeft);
  while (!text.empty() && parts.size() < max_splits) {
    size_t end = 0, behind = 0;
    while (behind < text.size() && !is_space(next_character(text, behind))) end = behind;
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), std::nullopt, Side::kLeft);
  }
  if (!text.empty()) parts.push_back(text);
  return parts;
}

}  // namespace

Characters::Characters(std::string_view text) : text_(text), is_ascii_(jinja::is_ascii(text)) {
  if (is_ascii_) return;
  for (size_t position = 0; position < text.size(); next_character(text, position))
    begins_.push_back(position);
  begins_.push_back(text.size());
}

std::string_view Characters::range(size_t begin, size_t end) const {
  if (is_ascii_) return text_.substr(begin, end - begin);
  return text_.substr(begins_[begin], begins_[end] - begins_[begin]);
}

bool is_space(char32_t character) {
  return (character >= 0x09 && character <= 0x0d) || (character >= 0x1c && character <= 0x20) ||
         character == 0x85 || character == 0xa0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200a) || character == 0x2028 ||
         character == 0x2029 || character == 0x202f || character == 0x205f || character == 0x3000;
}

std::string_view strip(std::string_view text, const std::optional<std::string>& chars, Side side) {
  const auto goes = [&](size_t begin) {
    size_t end = begin;
    const char32_t character = next_character(text, end);
    if (!chars) return is_space(character);
    return chars->find(text.substr(begin, end - begin)) != std::string::npos;
  };
  size_t begin = 0, end = text.size();
  while (side != Side::kRight && begin < end && goes(begin)) next_character(text, begin);
  while (side != Side::kLeft && begin < end && goes(previous_begin(text, end)))
    end = previous_begin(text, end);
  return text.substr(begin, end - begin);
}

size_t find_text(std::string_view text, std::string_view needle, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

std::vector<std::string_view> split(std::string_view text,
                                    const std::optional<std::string>& separator,
                                    size_t max_splits) {
  if (!separator) return split_at_space(text, max_splits);
  std::vector<std::string_view> parts;
  size_t begin = 0;
  while (parts.size() < max_splits) {
    const size_t end = find_text(text, *separator, begin);
    if (end == std::string_view::npos) break;
    parts.push_back(text.substr(begin, end - begin));
    begin = end + separator->size();
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string ascii_upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

std::string ascii_lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

bool is_ascii(std::string_view text) {
  return std::all_of(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace prescript::jinja
