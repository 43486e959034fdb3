#pragma once
// Pre-tokenisers: what cuts a text into the words that byte-pair encoding never merges across.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/regex.h"

namespace prescript {

/// What becomes of a match (`SplitDelimiterBehavior` of `tokenizers`).
enum class SplitBehavior {
  kIsolated,            // a word of its own
  kRemoved,             // left out
  kMergedWithPrevious,  // the end of the word before it
  kMergedWithNext,      // the beginning of the word behind it
  kContiguous,          // with the matches beside it, a word
};

/// A cut through all words that the steps before it left.
struct SplitStep {
  enum class Kind {
    kRegex,    // `pattern` in Oniguruma's syntax
    kLiteral,  // `pattern` itself
    kNumeric,  // one numeric character; no pattern
  };
  Kind kind = Kind::kRegex;
  std::string pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // what does not match counts as the match

  bool operator==(const SplitStep&) const = default;
};

/// Cuts, and then the ByteLevel step that ends every byte-level pre-tokeniser.
struct PreTokenizerDescription {
  std::vector<SplitStep> splits;
  bool add_prefix_space = false;    // ByteLevel puts a space before each word without one
  bool split_gpt2_pattern = false;  // ByteLevel's use_regex

  bool operator==(const PreTokenizerDescription&) const = default;
};

/// A word: the bytes [begin, end) of the text, after one added space where `added_space` says so.
struct Word {
  size_t begin;
  size_t end;
  bool added_space = false;

  bool operator==(const Word&) const = default;
};

/// Immutable; may be used by several threads at once.
class PreTokenizer {
 public:
  /// Throws InputError(kModel) "place: ..." for a pattern that is not supported.
  PreTokenizer(const PreTokenizerDescription& description, const std::string& place);

  /// The words of `text` (valid UTF-8), in order, none of them empty. They cover the text but for
  /// what a kRemoved step leaves out.
  std::vector<Word> split(std::string_view text, Regex::Workspace& workspace) const;

 private:
  struct Step {
    Regex regex;
    SplitBehavior behavior;
    bool invert;
  };
  static Step compile(const SplitStep& step, const std::string& place);

  std::vector<Step> steps_;
  bool add_prefix_space_;
  std::optional<Step> gpt2_;
};

/// The pre-tokeniser that `tokenizer.ggml.pre` names, or nothing for an unknown name. The patterns
/// are those of the models' own tokenizer.json, from which llama.cpp's converter derives the name.
/// `ignore_merges` and `adds_bos` are what llama.cpp (src/llama-vocab.cpp) ties to the name.
struct NamedPreTokenizer {
  PreTokenizerDescription description;
  bool ignore_merges = false;
  bool adds_bos = false;
};
std::optional<NamedPreTokenizer> pre_tokenizer_of_gguf(std::string_view name);
/// The names that pre_tokenizer_of_gguf knows, for messages.
std::string gguf_pre_tokenizer_names();

}  // namespace prescript
