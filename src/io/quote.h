#pragma once
// Names from files, made safe to show.

#include <string>
#include <string_view>

namespace prescript {

/// `text` in double quotes for a message: printable ASCII as it is, every other byte as \xNN, and
/// no more than about 80 characters.
std::string quote(std::string_view text);

}  // namespace prescript
