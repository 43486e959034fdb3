#include "text/unicode_categories.h"

#include <gtest/gtest.h>

#include "text/regex.h"
#include "text/regex_syntax.h"
#include "text/tokenizer_golden.h"
#include "text/utf8.h"

namespace prescript {
namespace {

/// Characters that the pattern matches, as [first, last, first, last, ...].
std::vector<uint32_t> matched_ranges(const Regex& regex) {
  Regex::Workspace workspace;
  std::vector<uint32_t> ranges;
  std::vector<TextRange> matches;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text;
    append_utf8(c, text);
    matches.clear();
    regex.find_all(text, workspace, matches);
    if (matches.empty()) continue;
    if (!ranges.empty() && ranges.back() == c - 1) {
      ranges.back() = c;
    } else {
      ranges.insert(ranges.end(), {c, c});
    }
  }
  return ranges;
}

TEST(UnicodeCategories, HoldTheCharactersThatOnigurumaKnows) {
  const auto golden = tokenizer_golden("unicode_sets.json");
  EXPECT_EQ(golden.size(), 15u);
  for (const auto& [pattern, ranges] : golden.items()) {
    const std::string translated = pattern == "Digits"        ? "[" + numeric_set() + "]"
                                   : pattern == "Punctuation" ? punctuation_pattern()
                                                              : pcre2_pattern(pattern, "test");
    EXPECT_EQ(matched_ranges(Regex(translated, "test")), ranges.get<std::vector<uint32_t>>())
        << pattern;
  }
}

TEST(UnicodeCategories, OtherNamesAreUnknown) {
  EXPECT_EQ(category_set("Han"), std::nullopt);
  EXPECT_EQ(category_set("l"), std::nullopt);
  EXPECT_EQ(category_set(""), std::nullopt);
}

}  // namespace
}  // namespace prescript
