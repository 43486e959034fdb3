#pragma once
// A text that normalisers and pre-tokenisers have changed and cut, and where each byte comes from.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/regex.h"

namespace prescript {

struct AlignedText {
  std::string text;
  std::vector<uint32_t> origin;  // of each byte, its offset in the original; never descending
  std::vector<TextRange> words;  // in order, none of them empty

  AlignedText() = default;

  /// One word, which begins at `offset` of the original.
  AlignedText(std::string_view original, size_t offset) : text(original), origin(original.size()) {
    for (size_t i = 0; i < origin.size(); ++i) origin[i] = static_cast<uint32_t>(offset + i);
    if (!text.empty()) words.push_back({0, text.size()});
  }

  std::string_view word(const TextRange& range) const {
    return std::string_view(text).substr(range.begin, range.end - range.begin);
  }

  /// Appends bytes that all stand for the byte `from` of the original.
  void put(std::string_view bytes, uint32_t from) {
    text += bytes;
    origin.insert(origin.end(), bytes.size(), from);
  }
  /// Appends bytes of another text with their origin.
  void put(const AlignedText& other, TextRange range) {
    text += other.word(range);
    const auto from = other.origin.begin();
    origin.insert(origin.end(),
                  from + static_cast<std::ptrdiff_t>(range.begin),
                  from + static_cast<std::ptrdiff_t>(range.end));
  }
  /// Makes what was appended since `begin` a word.
  void end_word(size_t begin) {
    if (begin < text.size()) words.push_back({begin, text.size()});
  }
};

}  // namespace prescript
