#pragma once
// The longest run of words that a text repeats of others.

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// Words in a row that stand, just so, in one of the texts too.
struct CommonRun {
  size_t num_words = 0;
  size_t text = 0;    // which of the texts; the first of those that have it
  std::string words;  // joined by single spaces
};

/// Texts, indexed by everything that their words begin. Words are what white space divides, with
/// their punctuation, compared byte for byte.
class RunFinder {
 public:
  explicit RunFinder(std::span<const std::string> texts);

  /// The longest run of `text`, the first of equal ones; of no words where it has none in common.
  CommonRun longest(std::string_view text) const;

 private:
  static constexpr size_t kNone = 0;  // no word of the texts; ends each of them

  size_t common_length(size_t suffix, std::span<const size_t> words) const;

  std::map<std::string, size_t, std::less<>> ids_;  // of words, from 1
  std::vector<size_t> words_;                       // of all texts, kNone behind each
  std::vector<size_t> text_of_;                     // of each place of words_
  std::vector<size_t> suffixes_;                    // places of words_, by what begins there
};

/// Characters (code points) of a text in UTF-8.
size_t num_characters(std::string_view text);

}  // namespace prescript
