#pragma once
// Finds added tokens (special tokens among them) in a text.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_description.h"

namespace prescript {

/// A stretch of text: an added token, or text between them.
struct TextSegment {
  size_t begin;
  size_t end;
  std::optional<int32_t> id;

  bool operator==(const TextSegment&) const = default;
};

/// Immutable.
class AddedTokens {
 public:
  /// No added token is longer, which bounds the cost of a search.
  static constexpr size_t kMaxBytes = 512;

  /// `pieces[token.id]` is the text of a token. Throws InputError(kModel) for an empty or too long
  /// one, and for tokens that could overlap.
  AddedTokens(const std::vector<AddedToken>& tokens,
              const std::vector<VocabularyPiece>& pieces,
              const std::string& place);

  /// Cuts `text` (valid UTF-8) at its added tokens: of those that begin leftmost, the longest. The
  /// segments tile the text; none is empty. Without `parse_special` a special token stays text, but
  /// no other token is found inside of it (as in `tokenizers`).
  std::vector<TextSegment> split(std::string_view text, bool parse_special) const;

 private:
  /// A trie of the tokens that are matched in the same pass.
  struct Trie {
    struct Match {
      size_t end;
      const AddedToken* token;
    };
    void insert(std::string_view text, const AddedToken* token);
    std::optional<Match> longest_at(std::string_view text, size_t begin) const;

    std::array<bool, 256> begins{};
    std::unordered_map<uint64_t, uint32_t> children;  // (node, byte) -> node; the root is 0
    std::vector<const AddedToken*> token_of_node{nullptr};
  };
  /// `tokenizers` lets tokens overlap where one takes the white space with which another begins.
  void refuse_overlaps(const std::vector<VocabularyPiece>& pieces, const std::string& place) const;
  static void split_plain(std::string_view text,
                          TextSegment plain,
                          const Trie& trie,
                          bool parse_special,
                          std::vector<TextSegment>& segments);

  std::vector<AddedToken> tokens_;
  Trie first_pass_;
  Trie normalized_pass_;
};

}  // namespace prescript
