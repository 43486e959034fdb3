#include "audit/longest_run.h"

#include <algorithm>
#include <numeric>

namespace prescript {
namespace {

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  std::vector<std::string_view> words;
  for (size_t begin = text.find_first_not_of(kSpace); begin != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSpace, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kSpace, end);
  }
  return words;
}

}  // namespace

RunFinder::RunFinder(std::span<const std::string> texts) {
  for (size_t t = 0; t < texts.size(); ++t) {
    for (const std::string_view word : words_of(texts[t])) {
      words_.push_back(ids_.try_emplace(std::string(word), ids_.size() + 1).first->second);
      text_of_.push_back(t);
    }
    words_.push_back(kNone);
    text_of_.push_back(t);
  }
  suffixes_.resize(words_.size());
  std::iota(suffixes_.begin(), suffixes_.end(), size_t{0});
  // Up to the end of a text: its end is less than every word.
  std::ranges::sort(suffixes_, [this](size_t a, size_t b) {
    for (size_t i = 0;; ++i) {
      const size_t word = words_[a + i];
      const size_t other = words_[b + i];
      if (word != other) return word < other;
      if (word == kNone) return a < b;
    }
  });
}

size_t RunFinder::common_length(size_t suffix, std::span<const size_t> words) const {
  size_t length = 0;
  while (length < words.size() && words[length] != kNone &&
         words_[suffix + length] == words[length]) {
    ++length;
  }
  return length;
}

CommonRun RunFinder::longest(std::string_view text) const {
  const std::vector<std::string_view> found = words_of(text);
  std::vector<size_t> words;
  for (const std::string_view word : found) {
    const auto id = ids_.find(word);
    words.push_back(id == ids_.end() ? kNone : id->second);
  }
  CommonRun best;
  size_t best_begin = 0;
  for (size_t begin = 0; begin < words.size(); ++begin) {
    const auto rest = std::span(words).subspan(begin);
    // The suffix that shares most with the rest stands on one side of where the rest would.
    const auto place = std::ranges::partition_point(suffixes_, [&](size_t suffix) {
      const size_t same = common_length(suffix, rest);
      return same < rest.size() && words_[suffix + same] < rest[same];
    });
    for (auto near = place == suffixes_.begin() ? place : place - 1;
         near != suffixes_.end() && near <= place;
         ++near) {
      const size_t length = common_length(*near, rest);
      if (length <= best.num_words) continue;
      best.num_words = length;
      best.text = text_of_[*near];
      best_begin = begin;
    }
  }
  for (size_t i = 0; i < best.num_words; ++i) {
    best.words += (i == 0 ? "" : " ") + std::string(found[best_begin + i]);
  }
  return best;
}

size_t num_characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

}  // namespace prescript
