#pragma once
// Byte-pair encoding of one word.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace prescript {

/// The merge of two neighbouring tokens. The rank of a merge is its place in the list.
struct BpeMerge {
  int32_t left;
  int32_t right;
  int32_t result;
};

/// Merges the bytes of a word pair by pair, always the pair of lowest rank and of these the
/// leftmost, until none is left: the order of `tokenizers`. Immutable.
class Bpe {
 public:
  static constexpr int32_t kNoToken = -1;

  struct Symbol {
    int32_t id;
    size_t begin;  // of its first byte in the word
  };

  /// `byte_ids`: the token of each byte, or kNoToken; such a byte is left out of a word. `words`:
  /// words that are a token whatever the merges say (`ignore_merges`).
  Bpe(const std::array<int32_t, 256>& byte_ids,
      const std::vector<BpeMerge>& merges,
      std::unordered_map<std::string, int32_t> words);

  /// Memory that calls reuse.
  class Workspace;

  /// Appends the tokens of `word` (shorter than 2^31 bytes). Cost O(n log n).
  void encode(std::string_view word, Workspace& workspace, std::vector<Symbol>& tokens) const;

 private:
  struct RankedMerge {
    int32_t rank;
    int32_t result;
  };
  const RankedMerge* find_merge(int32_t left, int32_t right) const;
  void merge_all(Workspace& workspace) const;

  std::array<int32_t, 256> byte_ids_;
  std::unordered_map<uint64_t, RankedMerge> merges_;
  std::unordered_map<std::string, int32_t> words_;
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
  std::vector<Node> nodes;
  std::vector<Candidate> queue;  // a heap, the next merge in front
  std::string word;
};

}  // namespace prescript
