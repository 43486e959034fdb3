#include "http/form.h"

#include <algorithm>

namespace prescript {
namespace {

constexpr size_t kMaxFields = 256;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

/// Takes what stands before the next `separator` off `rest`.
std::string_view next_piece(std::string_view& rest, char separator) {
  const std::string_view piece = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(piece.size() + 1, rest.size()));
  return piece;
}

bool leads_down(std::string_view segment) {
  if (segment.empty() || segment == "." || segment == "..") return false;
  return std::none_of(segment.begin(), segment.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F || c == '/' || c == '\\';
  });
}

}  // namespace

std::optional<std::vector<std::string>> path_segments(std::string_view path) {
  if (!path.starts_with('/')) return std::nullopt;
  std::vector<std::string> segments;
  for (std::string_view rest = path.substr(1); !rest.empty();) {
    const bool ends_in_slash = rest.back() == '/' && rest.find('/') == rest.size() - 1;
    auto segment = decode(next_piece(rest, '/'), /*plus_is_space=*/false);
    if (!segment || !leads_down(*segment) || ends_in_slash) return std::nullopt;
    segments.push_back(std::move(*segment));
  }
  return segments;
}

std::optional<std::map<std::string, std::string>> parse_form(std::string_view text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    std::string_view value = next_piece(text, '&');
    if (value.empty()) continue;
    const auto name = decode(next_piece(value, '='), /*plus_is_space=*/true);
    auto decoded = decode(value, /*plus_is_space=*/true);
    if (!name || !decoded || fields.size() == kMaxFields) return std::nullopt;
    if (!fields.emplace(*name, std::move(*decoded)).second) return std::nullopt;
  }
  return fields;
}

std::string cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view value = next_piece(header, ';');
    while (value.starts_with(' ')) value.remove_prefix(1);
    if (next_piece(value, '=') == name) return std::string(value);
  }
  return "";
}

}  // namespace prescript
