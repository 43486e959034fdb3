#include "exemplars/words.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Words, AreTheSameWhateverTheirCaseAndTheSignsBetweenThem) {
  const Words words = words_of("When should I see a doctor?");
  EXPECT_EQ(words.size(), 6u);
  EXPECT_EQ(words_of("  when SHOULD i\tsee\n\na -- doctor"), words);
  EXPECT_NE(words_of("When should I see the doctor?"), words);
  EXPECT_NE(words_of("When I should see a doctor?"), words);
}

TEST(Words, FoldWhatUnicodeSaysIsTheSame) {
  EXPECT_EQ(words_of("STRASSE"), words_of("stra\u00dfe"));
  EXPECT_EQ(words_of("caf\u00e9"), words_of("cafe\u0301"));
  EXPECT_EQ(words_of("\ufb01ne"), words_of("fine"));                    // a ligature
  EXPECT_EQ(words_of("wo\u00adrd"), words_of("word"));                  // a soft hyphen
  EXPECT_EQ(words_of("it\u2019s"), words_of("it's"));                   // quotation marks
  EXPECT_EQ(words_of("\u03a9"), words_of("\u03c9"));                    // Greek
  EXPECT_NE(words_of("\u0645\u0631\u0636"), words_of("\u0645\u0631"));  // Arabic is of letters too
}

TEST(Words, NumbersCountAndSignsDoNot) {
  EXPECT_EQ(words_of("BP 90/40, 37.5 \u00b0C").size(), 6u);
  EXPECT_NE(words_of("type 1"), words_of("type 2"));
  EXPECT_TRUE(words_of("").empty());
  EXPECT_TRUE(words_of(" ?! \u2014 ").empty());
}

TEST(Grams, AreRunsOfFiveWords) {
  std::vector<uint64_t> grams;
  append_grams(words_of("a b c d e f g"), grams);
  ASSERT_EQ(grams.size(), 3u);
  std::vector<uint64_t> others;
  append_grams(words_of("b c d e f"), others);
  append_grams(words_of("f e d c b"), others);
  EXPECT_EQ(others.at(0), grams[1]);
  EXPECT_NE(others.at(1), grams[1]);
}

TEST(Grams, AShortTextIsOneByItself) {
  std::vector<uint64_t> grams;
  append_grams(words_of("what is cholera"), grams);
  append_grams(words_of("What is cholera?"), grams);
  append_grams(words_of("what is"), grams);
  append_grams(words_of(""), grams);
  ASSERT_EQ(grams.size(), 3u);
  EXPECT_EQ(grams[0], grams[1]);
  EXPECT_NE(grams[0], grams[2]);
}

}  // namespace
}  // namespace prescript
