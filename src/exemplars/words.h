#pragma once
// The words of a text, and runs of five of them: what texts are compared by.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prescript {

/// Words in their order, each as a hash of 64 bits.
using Words = std::vector<uint64_t>;

/// The words of a text (valid UTF-8, shorter than 2^31 bytes): Unicode's NFKC_Casefold, then runs
/// of letters, marks and digits. Case, punctuation, white space, width and ligatures are nothing.
Words words_of(std::string_view text);

/// How many words a gram has (w-shingling, Broder 1997, "On the resemblance and containment of
/// documents").
inline constexpr size_t kGramWords = 5;

/// Appends the hash of each run of five words; a shorter text is one gram by itself.
void append_grams(const Words& words, std::vector<uint64_t>& grams);

}  // namespace prescript
