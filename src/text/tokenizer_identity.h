#pragma once
// The identity of a tokenizer.

#include <string>

#include "text/tokenizer_description.h"

namespace prescript {

/// SHA-256 (hexadecimal) of what determines the ids of a text, in a form that does not depend on
/// the kind of file it was read from. Part of the on-disk format of adapters: any change here makes
/// adapters foreign to their own base model.
std::string tokenizer_identity(const TokenizerDescription& description);

}  // namespace prescript
