#pragma once
// What a tokenizer is made of, whichever file it comes from.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/pre_tokenizer.h"

namespace prescript {

struct VocabularyPiece {
  std::string text;      // as the vocabulary spells it, UTF-8
  bool in_model = true;  // byte-pair encoding can produce it; false for tokens beside the model
};

/// A token that is found in the text before anything else happens to it; `pieces[id]` spells it.
struct AddedToken {
  int32_t id;
  bool special = false;     // DESIGN: kText leaves it text, skip_special leaves it out
  bool lstrip = false;      // takes the white space before it
  bool rstrip = false;      // takes the white space behind it
  bool normalized = false;  // matched after the others, in what they left

  bool operator==(const AddedToken&) const = default;
};

struct TokenizerDescription {
  std::string place;  // the file, for messages
  std::vector<VocabularyPiece> pieces;
  std::vector<std::pair<std::string, std::string>> merges;  // in order of rank
  std::vector<AddedToken> added_tokens;
  PreTokenizerDescription pre_tokenizer;
  bool ignore_merges = false;  // a word that is a piece is that token whatever the merges say
  std::optional<int32_t> bos_token;
  std::optional<int32_t> eos_token;
  bool adds_bos = false;
};

}  // namespace prescript
