#pragma once
// tokenizer.json, the format of Hugging Face's `tokenizers`.

#include <string>

#include "text/tokenizer_description.h"

namespace prescript {

/// Reads a tokenizer.json that holds a byte-level BPE tokenizer, and beside it (where they are)
/// tokenizer_config.json and special_tokens_map.json. Throws InputError(kModel) for a damaged file
/// and, by its name, for a part that is not implemented: it is never left out.
TokenizerDescription tokenizer_from_json(const std::string& path);

}  // namespace prescript
