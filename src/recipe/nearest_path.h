#pragma once
// What a misspelt key may have meant.

#include <span>
#include <string>
#include <string_view>

#include "recipe/given_values.h"

namespace prescript {

/// The path of the known key or section that is most like `path`: by the share of letters to
/// change, in the whole path or in its last key, whichever is less; of equals one that is not
/// absent by default. A name that the recipe gives stays what it is where it stands in its place.
std::string nearest_path(std::string_view path, std::span<const KnownKey> keys);

}  // namespace prescript
