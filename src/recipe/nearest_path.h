#pragma once
// What a misspelt key may have meant.

#include <string>
#include <string_view>

namespace prescript {

/// The path of the known key or section that is most like `path`: by the share of letters to
/// change, in the whole path or in its last key, whichever is less; of equals one that is not
/// absent by default.
std::string nearest_path(std::string_view path);

}  // namespace prescript
