#pragma once
// The model of tokenizer.json: its vocabulary, and how it makes tokens of words.

#include <string>
#include <unordered_map>

#include "io/json.h"
#include "text/tokenizer_description.h"

namespace prescript {

using VocabularyIds = std::unordered_map<std::string, int32_t>;

/// Reads `model` (BPE or Unigram) into the description, whose pre-tokeniser is read already.
/// Returns the ids of its pieces. Throws InputError(kModel) for what is damaged, and for what is
/// not supported by its name.
VocabularyIds model_from_json(const JsonCursor& model, TokenizerDescription& description);

/// Refuses a member that is set to anything but what prescript does.
void require_unset(const JsonCursor& object, const char* key);

/// Whether a step spells bytes as symbols.
bool is_byte_level(const TokenizerDescription& description);

}  // namespace prescript
