#pragma once
// Scores of a long answer beside a reference: ROUGE-L, and how much of a must-have statement it
// says.

#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// The words of a text as rouge-score's default tokenizer gives them: runs of the letters a-z and
/// digits, lower-cased; all else separates, characters beyond ASCII included. No stemming.
std::vector<std::string> rouge_words(std::string_view text);

/// Of the F-measure of the longest common subsequence of two texts' words.
struct RougeL {
  double precision = 0;
  double recall = 0;
  double f_measure = 0;
};

/// 0 where either has no words. Cost: the product of the lengths.
/// Source   Lin 2004, "ROUGE: a package for automatic evaluation of summaries"; rougeL of
/// rouge-score 0.1.2, which takes the whole text as one sentence.
RougeL rouge_l(std::string_view reference, std::string_view answer);

/// The share of the statement's content words (four letters or more, or with a digit; each once)
/// that occur in the answer; of all its words where none is a content word, and 0 without words.
double word_recall(std::string_view statement, std::string_view answer);

/// A must-have statement counts as covered where the answer has at least this share of its content
/// words.
inline constexpr double kCoveredRecall = 0.6;

}  // namespace prescript
