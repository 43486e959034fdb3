#include "rating/rater.h"

#include <ctime>

namespace prescript {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string rater_code(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.empty() || text.size() > 32) return "";
  std::string code;
  for (const char c : text) {
    const bool is_small = c >= 'a' && c <= 'z';
    if (!is_small && !(c >= 'A' && c <= 'Z') && !is_digit(c) && c != '-' && c != '_') return "";
    code += is_small ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return code;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[sizeof "2026-11-27T17:40:00Z"];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

bool is_utc_time(std::string_view text) {
  constexpr std::string_view kPattern = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kPattern.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (kPattern[i] == 'd' ? !is_digit(text[i]) : text[i] != kPattern[i]) return false;
  }
  return true;
}

}  // namespace prescript
