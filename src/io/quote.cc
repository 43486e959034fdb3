#include "io/quote.h"

namespace prescript {

std::string quote(std::string_view text) {
  constexpr size_t kMaxBytes = 80;
  std::string result = "\"";
  for (const char c : text.substr(0, kMaxBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      result += c;
    } else {
      result += "\\x";
      result += "0123456789abcdef"[byte >> 4];
      result += "0123456789abcdef"[byte & 15];
    }
  }
  return result + (text.size() > kMaxBytes ? "...\"" : "\"");
}

}  // namespace prescript
