#pragma once
// Texts of white space alone, as Python and with it the chat templates know it.

#include <string_view>

namespace prescript {

/// Whether valid UTF-8 holds nothing but white space, or nothing at all: what `trim` leaves nothing
/// of.
bool is_blank(std::string_view text);

}  // namespace prescript
