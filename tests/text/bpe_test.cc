#include "text/bpe.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

constexpr int32_t kA = 0, kB = 1, kC = 2;

struct Merge {
  int32_t left, right, result;
};

/// The letters a, b and c, and merges in order of rank.
BpeVocabulary letters(const std::vector<Merge>& merges) {
  BpeVocabulary vocabulary;
  vocabulary.characters = {{'a', kA}, {'b', kB}, {'c', kC}};
  for (const auto& [left, right, result] : merges) {
    vocabulary.merges.push_back(
        {left, right, result, static_cast<int32_t>(vocabulary.merges.size())});
  }
  return vocabulary;
}

std::vector<WordToken> tokens_of(const Bpe& bpe, std::string_view word) {
  Bpe::Workspace workspace;
  std::vector<WordToken> tokens;
  bpe.encode(word, workspace, tokens);
  return tokens;
}

std::vector<int32_t> ids_of(const Bpe& bpe, std::string_view word) {
  std::vector<int32_t> ids;
  for (const WordToken& token : tokens_of(bpe, word)) ids.push_back(token.id);
  return ids;
}

TEST(Bpe, TheLowestRankMergesFirst) {
  const Bpe bpe(letters({{kB, kC, 10}, {kA, kB, 11}}));
  EXPECT_THAT(ids_of(bpe, "abc"), testing::ElementsAre(kA, 10));
  EXPECT_THAT(ids_of(bpe, "ab"), testing::ElementsAre(11));
}

TEST(Bpe, OfEqualPairsTheLeftmostMergesFirst) {
  const Bpe bpe(letters({{kA, kA, 10}, {10, 10, 11}}));
  EXPECT_THAT(ids_of(bpe, "aaa"), testing::ElementsAre(10, kA));
  EXPECT_THAT(ids_of(bpe, "aaaaaaa"), testing::ElementsAre(11, 10, kA));
}

TEST(Bpe, TheLastOfEqualMergesCounts) {
  const Bpe bpe(letters({{kA, kB, 10}, {kA, kB, 11}}));
  EXPECT_THAT(ids_of(bpe, "ab"), testing::ElementsAre(11));
}

TEST(Bpe, ACharacterWithoutATokenIsLeftOutAndItsNeighboursMerge) {
  const Bpe bpe(letters({{kA, kB, 10}}));
  EXPECT_THAT(ids_of(bpe, "axb"), testing::ElementsAre(10));
  EXPECT_THAT(ids_of(bpe, "xyz"), testing::IsEmpty());
  EXPECT_THAT(ids_of(bpe, ""), testing::IsEmpty());
}

TEST(Bpe, TokensBeginWhereTheirCharactersBegin) {
  const Bpe bpe(letters({{kA, kB, 10}}));
  EXPECT_THAT(tokens_of(bpe, "xcéabc"),
              testing::ElementsAre(WordToken{kC, 1}, WordToken{10, 4}, WordToken{kC, 6}));
}

TEST(Bpe, AKnownWordIsItsTokenWhateverTheMergesSay) {
  BpeVocabulary vocabulary = letters({{kA, kB, 10}});
  vocabulary.words = {{"abc", 20}};
  const Bpe bpe(vocabulary);
  EXPECT_THAT(ids_of(bpe, "abc"), testing::ElementsAre(20));
  EXPECT_THAT(ids_of(bpe, "abcc"), testing::ElementsAre(10, kC, kC));
}

TEST(Bpe, OfEqualRanksTheLeftmostPairComesFirst) {
  BpeVocabulary vocabulary = letters({});
  vocabulary.merges = {{kB, kC, 10, 0}, {kA, kB, 11, 0}};
  EXPECT_THAT(ids_of(Bpe(vocabulary), "abc"), testing::ElementsAre(11, kC));
}

TEST(Bpe, BytesSpellACharacterWithoutAToken) {
  BpeVocabulary vocabulary = letters({{kA, kB, 10}});
  vocabulary.unknown = 9;  // is not used beside bytes
  vocabulary.bytes.emplace();
  for (int byte = 0; byte < 256; ++byte) (*vocabulary.bytes)[byte] = 1000 + byte;
  EXPECT_THAT(tokens_of(Bpe(vocabulary), "aé"),
              testing::ElementsAre(WordToken{kA, 0}, WordToken{1195, 1}, WordToken{1169, 2}));
}

TEST(Bpe, ARunOfUnknownCharactersIsOneTokenWhereTheyAreFused) {
  BpeVocabulary vocabulary = letters({{kA, kB, 10}});
  vocabulary.unknown = 9;
  EXPECT_THAT(ids_of(Bpe(vocabulary), "xyaz"), testing::ElementsAre(9, 9, kA, 9));
  vocabulary.fuse_unknown = true;
  EXPECT_THAT(tokens_of(Bpe(vocabulary), "xyabz"),
              testing::ElementsAre(WordToken{9, 0}, WordToken{10, 2}, WordToken{9, 4}));
}

TEST(Bpe, AMillionBytesInOneWordAreNotQuadratic) {
  const Bpe bpe(letters({{kA, kA, 10}, {10, 10, 11}, {11, 11, 12}, {12, 12, 13}}));
  const auto begin = std::chrono::steady_clock::now();
  const auto ids = ids_of(bpe, std::string(1 << 20, 'a'));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(ids, std::vector<int32_t>(1 << 16, 13));
  EXPECT_LT(seconds.count(), 20.0);  // a quadratic merge takes hours; sanitizers are slow
}

}  // namespace
}  // namespace prescript
