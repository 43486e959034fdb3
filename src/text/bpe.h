#pragma once
// Byte-pair encoding of one word.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/word_token.h"

namespace prescript {

/// The merge of two neighbouring tokens. Of several the one of lowest rank comes first.
struct BpeMerge {
  int32_t left;
  int32_t right;
  int32_t result;
  int32_t rank;
};

struct BpeVocabulary {
  std::unordered_map<char32_t, int32_t> characters;  // the tokens that are one character
  std::vector<BpeMerge> merges;                      // of equal pairs the last one counts
  std::unordered_map<std::string, int32_t> words;    // tokens whatever the merges say
  /// The tokens that spell a character without one of its own (`byte_fallback`).
  std::optional<std::array<int32_t, 256>> bytes;
  int32_t unknown = kNoToken;  // what such a character becomes where no bytes spell it
  bool fuse_unknown = false;   // a run of them becomes one token
};

/// Merges the characters of a word pair by pair, always the pair of lowest rank and of these the
/// leftmost, until none is left: the order of `tokenizers` and, with ranks by score, of
/// SentencePiece. A character that has no token of any kind is left out. Immutable.
class Bpe {
 public:
  explicit Bpe(BpeVocabulary vocabulary);

  /// Memory that calls reuse.
  class Workspace;

  /// Appends the tokens of `word` (UTF-8, shorter than 2^31 bytes). Cost O(n log n).
  void encode(std::string_view word, Workspace& workspace, std::vector<WordToken>& tokens) const;

 private:
  struct RankedMerge {
    int32_t rank;
    int32_t result;
  };
  const RankedMerge* find_merge(int32_t left, int32_t right) const;
  void spell(std::string_view word, Workspace& workspace) const;
  void merge_all(Workspace& workspace) const;

  BpeVocabulary vocabulary_;  // but for its merges
  std::unordered_map<uint64_t, RankedMerge> merges_;
};

class Bpe::Workspace {
 private:
  friend class Bpe;

  struct Node {
    int32_t id;
    int32_t previous, next;  // -1: none
    size_t begin;
  };
  struct Candidate {
    int32_t rank;
    int32_t node;  // the left one of the pair
    int32_t result;
  };
  std::vector<Node> nodes_;
  std::vector<Candidate> queue_;  // a heap, the next merge in front
  std::string word_;
};

}  // namespace prescript
