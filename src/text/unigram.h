#pragma once
// Unigram tokenization of one word.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
#include "text/word_token.h"

namespace prescript {

struct UnigramPiece {
  std::string text;  // not empty
  int32_t id;
  double score;  // the logarithm of its probability
};

struct UnigramVocabulary {
  std::vector<UnigramPiece> pieces;
  double lowest_score = 0;  // of the whole vocabulary, special tokens among it
  int32_t unknown;          // the token of what no pieces spell; a run of it is one token
  /// The tokens that spell it instead (`byte_fallback`).
  std::optional<std::array<int32_t, 256>> bytes;
};

/// Cuts a word into the pieces of the highest sum of scores; of equal sums, the one that the
/// `tokenizers` library finds. Immutable.
class Unigram {
 public:
  explicit Unigram(const UnigramVocabulary& vocabulary);

  /// Memory that calls reuse.
  class Workspace {
   private:
    friend class Unigram;

    struct Node {  // the best way to the end of a byte
      double score;
      size_t begin;  // of its last piece
      int32_t id;    // kNoToken: there is no way
    };
    std::vector<Node> best_;
  };

  /// Appends the tokens of `word` (UTF-8). Cost O(n · length of the longest piece).
  void encode(std::string_view word, Workspace& workspace, std::vector<WordToken>& tokens) const;

 private:
  void find_best(std::string_view word, Workspace& workspace) const;
  void append_unknown(std::string_view word,
                      size_t begin,
                      size_t end,
                      std::vector<WordToken>& tokens) const;

  ByteTrie trie_;
  std::vector<double> scores_;  // of each piece in the trie
  std::vector<int32_t> ids_;
  double unknown_score_;
  int32_t unknown_;
  std::optional<std::array<int32_t, 256>> bytes_;
};

}  // namespace prescript
