#include "evaluate/reference_scores.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/json.h"

namespace prescript {
namespace {

TEST(Words, AreRunsOfLettersAndDigits) {
  EXPECT_EQ(rouge_words("Don't give COVID-19 5mg."),
            (std::vector<std::string>{"don", "t", "give", "covid", "19", "5mg"}));
  EXPECT_TRUE(rouge_words(" .\xc3\xa9 ").empty());
}

TEST(Words, RougeLIsThatOfRougeScore) {
  const auto golden =
      parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/evaluate/rouge_l.json", ExitCode::kData);
  const auto texts = golden["texts"].get<std::vector<std::string>>();
  ASSERT_GT(golden["cases"].size(), 400U);
  for (const auto& one : golden["cases"]) {
    const RougeL score = rouge_l(texts.at(one[0]), texts.at(one[1]));
    EXPECT_NEAR(score.precision, one[2].get<double>(), 1e-12) << one;
    EXPECT_NEAR(score.recall, one[3].get<double>(), 1e-12) << one;
    EXPECT_NEAR(score.f_measure, one[4].get<double>(), 1e-12) << one;
  }
}

TEST(Words, RecallCountsContentWordsOnce) {
  // Content words: rest, fever, over, 38.
  EXPECT_EQ(word_recall("Rest, rest at a fever over 38.", "fever and rest"), 0.5);
  EXPECT_EQ(word_recall("Rest, rest at a fever over 38.", "At 38 and over, FEVER: rest!"), 1);
  EXPECT_EQ(word_recall("Rest at home.", "restful homes"), 0);
  EXPECT_EQ(word_recall("See a GP.", "nothing"), 0);
  EXPECT_EQ(word_recall("See a GP.", "a GP will see you"), 1)
      << "short words count among themselves";
  EXPECT_EQ(word_recall("!", "anything"), 0);
}

}  // namespace
}  // namespace prescript
