#include "text/white_space.h"

#include <algorithm>

#include "text/utf8.h"

namespace prescript {
namespace {

/// Python's str.isspace(): a separator of Unicode's category Zs, or of bidirectional class B, S,
/// WS.
bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

}  // namespace

std::string_view stripped(std::string_view text) {
  size_t begin = text.size();
  size_t end = 0;  // behind the last character that is not white space
  for (size_t at = 0; at < text.size();) {
    const size_t character = at;
    if (is_white_space(next_character(text, at))) continue;
    begin = std::min(begin, character);
    end = at;
  }
  return end == 0 ? std::string_view() : text.substr(begin, end - begin);
}

}  // namespace prescript
