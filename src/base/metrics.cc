#include "base/metrics.h"

#include <array>
#include <charconv>
#include <cmath>

namespace prescript {
namespace {

std::string quoted(std::string_view utf8) {
  std::string text = "\"";
  for (const char c : utf8) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      text += "\\u00";
      text += "0123456789abcdef"[c >> 4];
      text += "0123456789abcdef"[c & 15];
    } else {
      text += c;
    }
  }
  return text + "\"";
}

template <typename T>
std::string shortest(T value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

}  // namespace

MetricsLine& MetricsLine::add(std::string_view key, double value) {
  return add_raw(key, shortest(value));
}

MetricsLine& MetricsLine::add(std::string_view key, float value) {
  return add_raw(key, shortest(value));
}

MetricsLine& MetricsLine::add(std::string_view key, std::string_view utf8) {
  return add_raw(key, quoted(utf8));
}

MetricsLine& MetricsLine::add_raw(std::string_view key, std::string_view json_value) {
  if (!fields_.empty()) fields_ += ", ";
  fields_ += quoted(key) + ": ";
  fields_ += json_value;
  return *this;
}

}  // namespace prescript
