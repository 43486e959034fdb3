#pragma once
// SentencePiece's table of normalisation, its "precompiled charsmap".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// Which sequences of characters become which others: a double-array trie (Darts-clone's units) of
/// keys, whose values are offsets of texts that end with a zero byte. Immutable.
class CharacterMap {
 public:
  /// `table`: the size of the trie in bytes (uint32, little endian), the trie, the texts. Throws
  /// InputError(kModel) "place: ..." where sizes contradict each other or a text is not UTF-8.
  CharacterMap(std::string_view table, const std::string& place);

  /// What the shortest key that `text` begins with becomes; nothing where there is none. Throws
  /// InputError(kModel) where the table points outside of itself.
  std::optional<std::string_view> find(std::string_view text) const;

 private:
  uint32_t unit(uint32_t position) const;
  [[noreturn]] void fail(const std::string& message) const;

  std::string place_;
  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace prescript
