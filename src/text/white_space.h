#pragma once
// White space at the ends of a text, as Python's str.strip() knows it.

#include <cstddef>
#include <string_view>

namespace prescript {

/// `text`, which is valid UTF-8, without the white space at both ends.
std::string_view stripped(std::string_view text);

/// Whether valid UTF-8 holds nothing but white space, or nothing at all.
inline bool is_blank(std::string_view text) {
  return stripped(text).empty();
}

}  // namespace prescript
