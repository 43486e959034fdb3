#pragma once
// The normaliser and the pre-tokeniser of tokenizer.json.

#include <vector>

#include "io/json.h"
#include "text/text_step.h"

namespace prescript {

/// `normalizer`: Prepend, Replace, NFC, NFKC and sequences of these. Others throw
/// InputError(kModel) with their name.
std::vector<TextStep> normalizer_from_json(const JsonCursor& json);

/// `pre_tokenizer`: ByteLevel, Digits, Metaspace, Punctuation, Split and sequences of these. Others
/// throw InputError(kModel) with their name.
std::vector<TextStep> pre_tokenizer_from_json(const JsonCursor& json);

/// When a Metaspace puts its replacement before a word (`prepend_scheme`, in old files
/// `add_prefix_space`).
enum class PrependScheme { kAlways, kFirst, kNever };
PrependScheme prepend_scheme_of(const JsonCursor& metaspace);

}  // namespace prescript
