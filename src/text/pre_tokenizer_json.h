#pragma once
// The `pre_tokenizer` of a tokenizer.json.

#include "io/json.h"
#include "text/pre_tokenizer.h"

namespace prescript {

/// Understands ByteLevel, Digits, Split and Sequence; ByteLevel must come last. Throws InputError
/// naming what is not supported.
PreTokenizerDescription pre_tokenizer_from_json(const JsonCursor& json);

}  // namespace prescript
