#pragma once
// The steps of which normalisers and pre-tokenisers are made.

#include <string>

namespace prescript {

/// What becomes of a match (`SplitDelimiterBehavior` of `tokenizers`).
enum class SplitBehavior {
  kIsolated,            // a word of its own
  kRemoved,             // left out
  kMergedWithPrevious,  // the end of the word before it
  kMergedWithNext,      // the beginning of the word behind it
  kContiguous,          // with the matches beside it, a word
};

/// What a step does to every word that the steps before it left.
struct TextStep {
  enum class Kind {
    kSplit,           // cuts at the matches of the pattern
    kReplace,         // puts `content` in the place of every match
    kPrepend,         // puts `content` before the word
    kPrependMissing,  // the same, where the word does not begin with it
    kPrependFirst,    // the same, only where the word begins the whole text
    kBytes,           // spells every byte as its symbol (text/byte_level.h)
    kNfc,             // Unicode's normal forms
    kNfkc,
    kCharacterMap,  // SentencePiece's table, which is `content` (text/character_map.h)
  };
  enum class Pattern {
    kRegex,        // `pattern` in Oniguruma's syntax
    kLiteral,      // `pattern` itself
    kNumeric,      // one numeric character
    kPunctuation,  // one punctuation character
  };
  Kind kind = Kind::kSplit;
  Pattern matches = Pattern::kRegex;
  std::string pattern = {};
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what does not match counts as the match
  std::string content = {};

  bool operator==(const TextStep&) const = default;
};

/// The words of GPT-2's byte-level tokenizers (ByteLevel's use_regex).
inline constexpr const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace prescript
