#include "evaluate/reference_scores.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <set>
#include <utility>

namespace prescript {
namespace {

bool is_content(const std::string& word) {
  return word.size() >= 4 || std::ranges::any_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

/// Lower-case letter or digit of ASCII; 0 for all else.
char word_character(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '\0';
}

int64_t longest_common_subsequence(const std::vector<std::string>& one,
                                   const std::vector<std::string>& other) {
  std::vector<int64_t> row(other.size() + 1);
  for (const std::string& word : one) {
    int64_t diagonal = 0;
    for (size_t j = 0; j < other.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = word == other[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> rouge_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    const char kept = word_character(c);
    if (kept != '\0') word += kept;
    if (kept == '\0' && !word.empty()) words.push_back(std::exchange(word, {}));
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

RougeL rouge_l(std::string_view reference, std::string_view answer) {
  const auto wanted = rouge_words(reference);
  const auto said = rouge_words(answer);
  if (wanted.empty() || said.empty()) return {};
  const auto common = static_cast<double>(longest_common_subsequence(wanted, said));
  RougeL score = {.precision = common / static_cast<double>(said.size()),
                  .recall = common / static_cast<double>(wanted.size())};
  const double sum = score.precision + score.recall;
  if (sum > 0) score.f_measure = 2 * score.precision * score.recall / sum;
  return score;
}

double word_recall(std::string_view statement, std::string_view answer) {
  const auto said_list = rouge_words(answer);
  const std::set<std::string> said(said_list.begin(), said_list.end());
  std::set<std::string> all;
  std::set<std::string> content;
  for (const std::string& word : rouge_words(statement)) {
    all.insert(word);
    if (is_content(word)) content.insert(word);
  }
  const std::set<std::string>& wanted = content.empty() ? all : content;
  if (wanted.empty()) return 0;
  const auto found =
      std::ranges::count_if(wanted, [&](const std::string& word) { return said.contains(word); });
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

}  // namespace prescript
