#include "exemplars/words.h"

#include <algorithm>
#include <functional>
#include <string>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "base/error.h"
#include "text/utf8.h"

namespace prescript {
namespace {

void check(UErrorCode error, const char* call) {
  if (U_FAILURE(error)) throw DeviceError(std::string(call) + ": " + u_errorName(error));
}

std::string folded(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const auto* normalizer = icu::Normalizer2::getNFKCCasefoldInstance(error);
  check(error, "getNFKCCasefoldInstance");
  std::string result;
  icu::StringByteSink<std::string> sink(&result);
  const icu::StringPiece piece(text.data(), static_cast<int32_t>(text.size()));
  normalizer->normalizeUTF8(0, piece, sink, nullptr, error);
  check(error, "normalizeUTF8");
  return result;
}

bool is_of_a_word(char32_t character) {
  constexpr uint32_t kOfWords = U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK;
  return (U_GET_GC_MASK(static_cast<UChar32>(character)) & kOfWords) != 0;
}

}  // namespace

Words words_of(std::string_view text) {
  const std::string characters = folded(text);
  Words words;
  size_t begin = 0;  // of the word that is being read
  const auto end_word = [&](size_t end) {
    const std::string_view word(characters.data() + begin, end - begin);
    if (!word.empty()) words.push_back(std::hash<std::string_view>()(word));
  };
  for (size_t position = 0; position < characters.size();) {
    const size_t at = position;
    if (is_of_a_word(next_character(characters, position))) continue;
    end_word(at);
    begin = position;
  }
  end_word(characters.size());
  return words;
}

void append_grams(const Words& words, std::vector<uint64_t>& grams) {
  if (words.empty()) return;
  for (size_t begin = 0; begin == 0 || begin + kGramWords <= words.size(); ++begin) {
    uint64_t hash = 0;
    for (size_t i = begin; i < std::min(begin + kGramWords, words.size()); ++i) {
      hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    grams.push_back(hash);
  }
}

}  // namespace prescript
