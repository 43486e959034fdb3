#pragma once
// What a tokenizer is made of, whichever file it comes from.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/text_step.h"

namespace prescript {

struct VocabularyPiece {
  std::string text;      // as the vocabulary spells it, UTF-8
  bool in_model = true;  // the model can produce it; false for tokens beside the model
  double score = 0;      // kScoredBpe: the higher, the earlier it is merged; kUnigram: its weight
};

/// A token that is found in the text before anything else happens to it; `pieces[id]` spells it.
struct AddedToken {
  int32_t id;
  bool special = false;     // DESIGN: kText leaves it text, skip_special leaves it out
  bool lstrip = false;      // takes the white space before it
  bool rstrip = false;      // takes the white space behind it
  bool normalized = false;  // matched after the others, in the normalised text that they left

  bool operator==(const AddedToken&) const = default;
};

enum class TokenizerModel {
  kBpe,        // merges in order of rank
  kScoredBpe,  // any two pieces that are a piece together, the highest score first: SentencePiece
  kUnigram,
};

/// How a piece becomes bytes.
struct PieceDecoder {
  bool byte_level = false;  // the symbols of text/byte_level.h
  std::vector<std::pair<std::string, std::string>> replacements;  // every occurrence, in order
  bool byte_fallback = false;                                     // "<0x0A>" is one byte
  size_t strip_spaces = 0;    // as many are left out at the beginning of a text
  std::string dropped_first;  // left out of the first piece, every occurrence; empty: nothing
};

struct TokenizerDescription {
  std::string place;  // the file, for messages
  std::vector<VocabularyPiece> pieces;
  std::vector<std::pair<std::string, std::string>> merges;  // kBpe, in order of rank
  std::vector<AddedToken> added_tokens;
  std::vector<TextStep> normalizer;
  std::vector<TextStep> pre_tokenizer;
  TokenizerModel model = TokenizerModel::kBpe;
  bool ignore_merges = false;  // a word that is a piece is that token whatever the merges say
  bool byte_fallback = false;  // "<0x0A>" stands for a byte of a character without a token
  std::optional<int32_t> unknown_token;  // stands for such a character where no bytes do
  bool fuse_unknown = false;             // and once for a run of them
  PieceDecoder decoder;
  std::optional<int32_t> bos_token;
  std::optional<int32_t> eos_token;
  bool adds_bos = false;
};

}  // namespace prescript
