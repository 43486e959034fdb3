#pragma once
// Unicode's composed normal forms, with the characters that `tokenizers` knows.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

enum class NormalForm { kNfc, kNfkc };

/// A stretch of the normalised text. Where it is changed, all of it stands for what begins at
/// `begin` of the original; else its bytes are those of the original from there on.
struct NormalizedSpan {
  size_t begin;
  bool is_changed;
  std::string text;
};

/// The normalised `text` (valid UTF-8, shorter than 2^31 bytes), in order. `tokenizers` normalises
/// with the tables of Unicode 9: characters of later versions stay as they are.
std::vector<NormalizedSpan> normalized_spans(std::string_view text, NormalForm form);

}  // namespace prescript
