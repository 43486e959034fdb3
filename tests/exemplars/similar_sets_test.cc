#include "exemplars/similar_sets.h"

#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {
namespace {

using Sets = std::vector<std::vector<uint64_t>>;
using Pairs = std::map<std::pair<size_t, size_t>, double>;

/// Joins each set with those before it.
Pairs join(const Sets& sets, const SetSimilarity& similar, Groups& groups) {
  SimilarSets index(sets, similar, groups);
  Pairs pairs;
  for (size_t i = 0; i < sets.size(); ++i) {
    index.join(i, [&](size_t other, double jaccard) {
      EXPECT_TRUE(pairs.emplace(std::pair(other, i), jaccard).second) << other << " " << i;
    });
    index.add(i);
  }
  return pairs;
}

Pairs join(const Sets& sets, const SetSimilarity& similar) {
  Groups groups(sets.size());
  return join(sets, similar, groups);
}

/// Every pair, compared.
Pairs every_pair(const Sets& sets, const SetSimilarity& similar) {
  Pairs pairs;
  for (size_t b = 0; b < sets.size(); ++b) {
    for (size_t a = 0; a < b; ++a) {
      std::vector<uint64_t> shared;
      std::set_intersection(sets[a].begin(),
                            sets[a].end(),
                            sets[b].begin(),
                            sets[b].end(),
                            std::back_inserter(shared));
      const size_t either = sets[a].size() + sets[b].size() - shared.size();
      if (shared.empty() || shared.size() < similar.shared) continue;
      // In whole numbers: similar.jaccard is a multiple of 1/20.
      const auto twentieths = static_cast<size_t>(similar.jaccard * 20 + 0.5);
      if (shared.size() * 20 >= twentieths * either)
        pairs[{a, b}] = static_cast<double>(shared.size()) / static_cast<double>(either);
    }
  }
  return pairs;
}

/// Sets that were made from each other by taking out and putting in, of common and rare elements.
Sets random_sets(std::mt19937_64& random, size_t count) {
  const auto below = [&](uint64_t limit) { return random() % limit; };
  Sets sets;
  for (size_t i = 0; i < count; ++i) {
    std::vector<uint64_t> set;
    if (i > 0 && below(3) > 0) {
      set = sets[below(i)];
      set.resize(set.size() - below(set.size() / 2 + 1));
    }
    for (uint64_t more = below(12); more > 0; --more) {
      set.push_back(below(2) == 0 ? below(30) : below(100000));
    }
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    sets.push_back(set);
  }
  return sets;
}

TEST(SimilarSets, MakeTheGroupsThatComparingEveryPairMakes) {
  std::mt19937_64 random(7);
  size_t num_found = 0;
  for (int round = 0; round < 60; ++round) {
    const Sets sets = random_sets(random, 80);
    for (const double jaccard : {0.05, 0.4, 0.5, 0.8, 1.0}) {
      for (const size_t shared : {size_t{1}, size_t{8}}) {
        const SetSimilarity similar = {.jaccard = jaccard, .shared = shared};
        Groups groups(sets.size());
        const Pairs pairs = join(sets, similar, groups);
        const Pairs expected = every_pair(sets, similar);
        Groups expected_groups(sets.size());
        size_t num_expected = 0;  // of pairs that connect the groups
        for (const auto& [pair, unused] : expected) {
          num_expected += expected_groups.are_one(pair.first, pair.second) ? 0 : 1;
          expected_groups.join(pair.first, pair.second);
        }
        EXPECT_EQ(pairs.size(), num_expected);
        for (const auto& [pair, value] : pairs) {
          ASSERT_TRUE(expected.contains(pair));
          EXPECT_DOUBLE_EQ(value, expected.at(pair));
        }
        for (size_t i = 0; i < sets.size(); ++i) ASSERT_EQ(groups.of(i), expected_groups.of(i));
        num_found += pairs.size();
      }
    }
  }
  EXPECT_GT(num_found, 5000u);
}

TEST(SimilarSets, OneOfAGroupIsFoundWhereOneIsSimilar) {
  std::mt19937_64 random(11);
  const SetSimilarity similar = {.jaccard = 0.4, .shared = 3};
  size_t num_similar = 0;
  for (int round = 0; round < 60; ++round) {
    const Sets sets = random_sets(random, 80);
    const Pairs expected = every_pair(sets, similar);
    Groups groups(sets.size());
    for (size_t i = 1; i < 60; ++i) groups.join(0, i);
    SimilarSets index(sets, similar, groups);
    for (size_t i = 0; i < 60; ++i) index.add(i);
    for (size_t i = 60; i < sets.size(); ++i) {
      size_t most = 0;
      for (size_t other = 0; other < 60; ++other) most += expected.contains({other, i}) ? 1 : 0;
      size_t num_found = 0;
      index.join(i, [&](size_t other, double jaccard) {
        EXPECT_DOUBLE_EQ(jaccard, expected.at({other, i}));
        ++num_found;
      });
      EXPECT_EQ(num_found, most > 0 ? 1u : 0u);
      num_similar += num_found;
    }
  }
  EXPECT_GT(num_similar, 100u);
}

TEST(SimilarSets, APairAtTheLimitIsSimilar) {
  // 2 of 5 elements: 0.4 exactly.
  const Sets sets = {{1, 2, 3}, {1, 2, 4, 5}, {}};
  EXPECT_EQ(join(sets, {.jaccard = 0.4}), (Pairs{{{0, 1}, 0.4}}));
  EXPECT_TRUE(join(sets, {.jaccard = 0.41}).empty());
  EXPECT_TRUE(join(sets, {.jaccard = 0.4, .shared = 3}).empty());
}

TEST(SimilarSets, OfManyThatAreNearlyEqualOnlyAFewAreCompared) {
  // 20 000 sets that share 60 elements of 61: every pair would be 2e8 comparisons of 60 elements.
  Sets sets;
  for (uint64_t i = 0; i < 20000; ++i) {
    std::vector<uint64_t>& set = sets.emplace_back();
    for (uint64_t element = 0; element < 60; ++element) set.push_back(element);
    set.push_back(1000 + i);
  }
  EXPECT_EQ(join(sets, {.jaccard = 0.4}).size(), sets.size() - 1);
}

TEST(SimilarSets, ASimilarityOfNothingIsRefused) {
  EXPECT_THROW(join({}, {.jaccard = 0}), ContractError);
  EXPECT_TRUE(join({}, {.jaccard = 1}).empty());
}

}  // namespace
}  // namespace prescript
