#include "text/byte_trie.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using Found = std::vector<std::pair<size_t, int32_t>>;

Found found_at(const ByteTrie& trie, std::string_view text, size_t begin) {
  Found found;
  trie.find_at(text, begin, [&](size_t end, int32_t value) { found.emplace_back(end, value); });
  return found;
}

TEST(ByteTrie, FindsEveryTextThatBeginsThere) {
  ByteTrie trie;
  trie.insert("a", 0);
  trie.insert("ab", 1);
  trie.insert("abcd", 2);
  trie.insert("\xff", 3);
  EXPECT_EQ(found_at(trie, "xabcd", 1), (Found{{2, 0}, {3, 1}, {5, 2}}));
  EXPECT_EQ(found_at(trie, "xabc", 1), (Found{{2, 0}, {3, 1}}));
  EXPECT_EQ(found_at(trie, "\xff", 0), (Found{{1, 3}}));
  EXPECT_TRUE(found_at(trie, "xabcd", 0).empty());
  EXPECT_TRUE(found_at(trie, "a", 1).empty());
}

TEST(ByteTrie, TheLastOfEqualTextsCounts) {
  ByteTrie trie;
  trie.insert("a", 0);
  trie.insert("a", 5);
  EXPECT_EQ(found_at(trie, "a", 0), (Found{{1, 5}}));
}

}  // namespace
}  // namespace prescript
