#include "audit/longest_run.h"

#include <sstream>

#include <gtest/gtest.h>

#include "base/random.h"

namespace prescript {
namespace {

using Texts = std::vector<std::string>;

std::vector<std::string> split(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// Every place of the one against every place of the other.
size_t longest_by_trial(const std::string& text, const Texts& texts) {
  const auto words = split(text);
  size_t longest = 0;
  for (const std::string& other_text : texts) {
    const auto other = split(other_text);
    for (size_t i = 0; i < words.size(); ++i) {
      for (size_t j = 0; j < other.size(); ++j) {
        size_t length = 0;
        while (i + length < words.size() && j + length < other.size() &&
               words[i + length] == other[j + length]) {
          ++length;
        }
        longest = std::max(longest, length);
      }
    }
  }
  return longest;
}

TEST(LongestRun, IsThatOfWordsInARowInOneText) {
  const RunFinder finder(Texts{"Drink water and rest.", "See a doctor if the fever stays."});
  const CommonRun run = finder.longest("You should see a doctor:\n drink  water\tand sleep.");
  EXPECT_EQ(run.num_words, 2U) << "Drink and drink are two words";
  EXPECT_EQ(run.words, "water and");
  EXPECT_EQ(run.text, 0U);
  EXPECT_EQ(finder.longest("rest. See a").num_words, 2U) << "not from one text into the next";
  EXPECT_EQ(finder.longest("See a doctor if the fever stays.").num_words, 7U);
  EXPECT_EQ(finder.longest("See a doctor if the fever stays.").text, 1U);
}

TEST(LongestRun, NothingInCommonIsNothing) {
  const RunFinder finder(Texts{"one two", ""});
  for (const char* text : {"", " \n", "three", "onetwo"}) {
    EXPECT_EQ(finder.longest(text).num_words, 0U) << text;
    EXPECT_EQ(finder.longest(text).words, "");
  }
  EXPECT_EQ(RunFinder(Texts{}).longest("one").num_words, 0U);
}

TEST(LongestRun, AgreesWithTrialOfAllPlaces) {
  RandomStream stream(3, "words");
  const auto random_text = [&](size_t num_words) {
    std::string text;
    for (size_t i = 0; i < num_words; ++i) text += std::string(1, "abc"[stream.below(3)]) + " ";
    return text;
  };
  for (int trial = 0; trial < 300; ++trial) {
    Texts texts;
    for (size_t i = 0; i < 1 + stream.below(4); ++i) texts.push_back(random_text(stream.below(30)));
    const std::string text = random_text(stream.below(20)) + (trial % 3 == 0 ? "d" : "");
    const CommonRun run = RunFinder(texts).longest(text);
    ASSERT_EQ(run.num_words, longest_by_trial(text, texts)) << trial;
    if (run.num_words == 0) continue;
    EXPECT_EQ(longest_by_trial(run.words, {texts[run.text]}), run.num_words);
    EXPECT_EQ(longest_by_trial(run.words, {text}), run.num_words);
  }
}

TEST(LongestRun, CharactersAreCodePoints) {
  EXPECT_EQ(num_characters(""), 0U);
  EXPECT_EQ(num_characters("a\xC3\xA4\xE2\x82\xAC"), 3U);
}

}  // namespace
}  // namespace prescript
