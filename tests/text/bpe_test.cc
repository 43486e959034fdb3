#include "text/bpe.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

constexpr int32_t kA = 0, kB = 1, kC = 2;

std::array<int32_t, 256> letters() {
  std::array<int32_t, 256> ids;
  ids.fill(Bpe::kNoToken);
  ids['a'] = kA;
  ids['b'] = kB;
  ids['c'] = kC;
  return ids;
}

std::vector<int32_t> ids_of(const Bpe& bpe, std::string_view word) {
  Bpe::Workspace workspace;
  std::vector<Bpe::Symbol> symbols;
  bpe.encode(word, workspace, symbols);
  std::vector<int32_t> ids;
  for (const auto& symbol : symbols) ids.push_back(symbol.id);
  return ids;
}

TEST(Bpe, TheLowestRankMergesFirst) {
  const Bpe bpe(letters(), {{kB, kC, 10}, {kA, kB, 11}}, {});
  EXPECT_THAT(ids_of(bpe, "abc"), testing::ElementsAre(kA, 10));
  EXPECT_THAT(ids_of(bpe, "ab"), testing::ElementsAre(11));
}

TEST(Bpe, OfEqualPairsTheLeftmostMergesFirst) {
  const Bpe bpe(letters(), {{kA, kA, 10}, {10, 10, 11}}, {});
  EXPECT_THAT(ids_of(bpe, "aaa"), testing::ElementsAre(10, kA));
  EXPECT_THAT(ids_of(bpe, "aaaaaaa"), testing::ElementsAre(11, 10, kA));
}

TEST(Bpe, TheLastOfEqualMergesCounts) {
  const Bpe bpe(letters(), {{kA, kB, 10}, {kA, kB, 11}}, {});
  EXPECT_THAT(ids_of(bpe, "ab"), testing::ElementsAre(11));
}

TEST(Bpe, AByteWithoutATokenIsLeftOutAndItsNeighboursMerge) {
  const Bpe bpe(letters(), {{kA, kB, 10}}, {});
  EXPECT_THAT(ids_of(bpe, "axb"), testing::ElementsAre(10));
  EXPECT_THAT(ids_of(bpe, "xyz"), testing::IsEmpty());
  EXPECT_THAT(ids_of(bpe, ""), testing::IsEmpty());
}

TEST(Bpe, SymbolsBeginWhereTheirBytesBegin) {
  const Bpe bpe(letters(), {{kA, kB, 10}}, {});
  Bpe::Workspace workspace;
  std::vector<Bpe::Symbol> symbols;
  bpe.encode("xcabc", workspace, symbols);
  ASSERT_EQ(symbols.size(), 3u);
  EXPECT_EQ(symbols[0].begin, 1u);
  EXPECT_EQ(symbols[1].begin, 2u);
  EXPECT_EQ(symbols[2].begin, 4u);
}

TEST(Bpe, AKnownWordIsItsTokenWhateverTheMergesSay) {
  const Bpe bpe(letters(), {{kA, kB, 10}}, {{"abc", 20}});
  EXPECT_THAT(ids_of(bpe, "abc"), testing::ElementsAre(20));
  EXPECT_THAT(ids_of(bpe, "abcc"), testing::ElementsAre(10, kC, kC));
}

TEST(Bpe, AMillionBytesInOneWordAreNotQuadratic) {
  const Bpe bpe(letters(), {{kA, kA, 10}, {10, 10, 11}, {11, 11, 12}, {12, 12, 13}}, {});
  const auto begin = std::chrono::steady_clock::now();
  const auto ids = ids_of(bpe, std::string(1 << 20, 'a'));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(ids, std::vector<int32_t>(1 << 16, 13));
  EXPECT_LT(seconds.count(), 20.0);  // a quadratic merge takes hours; sanitizers are slow
}

}  // namespace
}  // namespace prescript
