#pragma once
// The model inside a tokenizer: words to tokens.

#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "text/bpe.h"
#include "text/tokenizer_description.h"
#include "text/unigram.h"
#include "text/word_token.h"

namespace prescript {

using PieceIds = std::unordered_map<std::string_view, int32_t>;

/// Immutable.
class WordModel {
 public:
  /// `ids`: of every piece. Throws InputError(kModel) for merges, scores and tokens that do not fit
  /// the vocabulary.
  WordModel(const TokenizerDescription& description, const PieceIds& ids);

  /// Memory that calls reuse.
  struct Workspace {
    Bpe::Workspace bpe;
    Unigram::Workspace unigram;
  };

  /// Appends the tokens of `word` (UTF-8).
  void encode(std::string_view word, Workspace& workspace, std::vector<WordToken>& tokens) const;

 private:
  std::variant<Bpe, Unigram> model_;
};

/// Throws InputError(kModel) "place: tokenizer: message".
[[noreturn]] void fail_tokenizer(const TokenizerDescription& description,
                                 const std::string& message);

}  // namespace prescript
