#include "exemplars/contained_words.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace prescript {
namespace {

using Pairs = std::set<std::pair<size_t, size_t>>;

Pairs contained(const std::vector<Words>& needles, const std::vector<std::vector<Words>>& in) {
  Pairs pairs;
  for_each_contained(needles, in, [&](size_t needle, size_t haystack) {
    EXPECT_TRUE(pairs.emplace(needle, haystack).second);
  });
  return pairs;
}

TEST(ContainedWords, StandInARow) {
  const Words needle = words_of("one two three four five six seven eight");
  EXPECT_EQ(contained({needle},
                      {{words_of("Zero. One, two, three, four, five, six, seven, eight! Nine.")},
                       {words_of("one two three four"), words_of("five six seven eight")},
                       {words_of("one two three four and five six seven eight")},
                       {words_of("nothing"), needle}}),
            (Pairs{{0, 0}, {0, 3}}));
}

TEST(ContainedWords, FewerThanEightAreNotLookedFor) {
  const Words seven = words_of("one two three four five six seven");
  EXPECT_TRUE(contained({seven}, {{seven}}).empty());
}

TEST(ContainedWords, AreThoseThatSearchingEveryTextFinds) {
  std::mt19937 random(3);
  // Few words, so that texts begin alike and stand in each other.
  const auto text = [&](size_t length) {
    Words words;
    while (words.size() < length) words.push_back(random() % 10 == 0 ? 2 : 1);
    return words;
  };
  size_t num_found = 0;
  for (int round = 0; round < 100; ++round) {
    std::vector<Words> needles;
    std::vector<std::vector<Words>> haystacks;
    for (int i = 0; i < 20; ++i) needles.push_back(text(random() % 14));
    for (int i = 0; i < 20; ++i) haystacks.push_back({text(random() % 30), text(random() % 9)});
    Pairs expected;
    for (size_t n = 0; n < needles.size(); ++n) {
      if (needles[n].size() < 8) continue;
      if (std::find(needles.begin(), needles.end(), needles[n]) - needles.begin() <
          static_cast<ptrdiff_t>(n))
        continue;
      for (size_t h = 0; h < haystacks.size(); ++h) {
        for (const Words& words : haystacks[h]) {
          if (std::search(words.begin(), words.end(), needles[n].begin(), needles[n].end()) !=
              words.end())
            expected.emplace(n, h);
        }
      }
    }
    EXPECT_EQ(contained(needles, haystacks), expected);
    num_found += expected.size();
  }
  EXPECT_GT(num_found, 1000u);
}

}  // namespace
}  // namespace prescript
