#include "text/unigram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

UnigramVocabulary letters() {
  return {.pieces = {{"a", 1, -1.0}, {"b", 2, -1.0}, {"ab", 3, -1.5}, {"bc", 4, -1.0}},
          .lowest_score = -3.0,
          .unknown = 0,
          .bytes = std::nullopt};
}

std::vector<WordToken> tokens_of(const UnigramVocabulary& vocabulary, std::string_view word) {
  Unigram::Workspace workspace;
  std::vector<WordToken> tokens;
  Unigram(vocabulary).encode(word, workspace, tokens);
  return tokens;
}

std::vector<int32_t> ids_of(const UnigramVocabulary& vocabulary, std::string_view word) {
  std::vector<int32_t> ids;
  for (const WordToken& token : tokens_of(vocabulary, word)) ids.push_back(token.id);
  return ids;
}

TEST(Unigram, TheHighestSumWins) {
  EXPECT_THAT(tokens_of(letters(), "aab"), testing::ElementsAre(WordToken{1, 0}, WordToken{3, 1}));
  EXPECT_THAT(ids_of(letters(), "abc"), testing::ElementsAre(1, 4));
  EXPECT_THAT(ids_of(letters(), ""), testing::IsEmpty());
}

TEST(Unigram, OfEqualSumsTheOneWithTheEarliestLastPieceIsTaken) {
  UnigramVocabulary vocabulary = letters();
  vocabulary.pieces[2].score = -2.0;
  EXPECT_THAT(ids_of(vocabulary, "ab"), testing::ElementsAre(3));
}

TEST(Unigram, ARunOfUnknownCharactersIsOneToken) {
  EXPECT_THAT(tokens_of(letters(), "aéxb"),
              testing::ElementsAre(WordToken{1, 0}, WordToken{0, 1}, WordToken{2, 4}));
}

TEST(Unigram, AnUnknownCharacterCostsTenMoreThanTheLowestScore) {
  UnigramVocabulary vocabulary = letters();  // an unknown character: -13
  vocabulary.pieces.push_back({"xy", 5, -13.9});
  vocabulary.pieces.push_back({"y", 6, -1.0});
  EXPECT_THAT(ids_of(vocabulary, "xy"), testing::ElementsAre(5));
  vocabulary.pieces[4].score = -14.1;
  EXPECT_THAT(ids_of(vocabulary, "xy"), testing::ElementsAre(0, 6));
}

TEST(Unigram, BytesSpellWhatIsUnknown) {
  UnigramVocabulary vocabulary = letters();
  vocabulary.bytes.emplace();
  for (int byte = 0; byte < 256; ++byte) (*vocabulary.bytes)[byte] = 1000 + byte;
  EXPECT_THAT(tokens_of(vocabulary, "aéb"),
              testing::ElementsAre(
                  WordToken{1, 0}, WordToken{1195, 1}, WordToken{1169, 2}, WordToken{2, 3}));
}

}  // namespace
}  // namespace prescript
