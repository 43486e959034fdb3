#pragma once
// Finds added tokens (special tokens among them) in a text.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_trie.h"
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

  /// `texts[i]` is what tokens[i] is found by: its piece, normalised if it is `normalized`. Throws
  /// InputError(kModel) for an empty or too long one, and for tokens that could overlap.
  AddedTokens(const std::vector<AddedToken>& tokens,
              const std::vector<std::string>& texts,
              const std::string& place);

  /// Cuts `text` (valid UTF-8) at its added tokens of one kind, those that are `normalized` or the
  /// others: of those that begin leftmost, the longest. The segments tile the text; none is empty.
  /// Without `parse_special` a special token stays text, but no other token is found inside of it
  /// (as in `tokenizers`).
  std::vector<TextSegment> split(std::string_view text, bool normalized, bool parse_special) const;

 private:
  /// `tokenizers` lets tokens overlap where one takes the white space with which another begins.
  void refuse_overlaps(const std::vector<std::string>& texts, const std::string& place) const;

  std::vector<AddedToken> tokens_;
  ByteTrie plain_;  // their values are indices of tokens_
  ByteTrie normalized_;
};

}  // namespace prescript
