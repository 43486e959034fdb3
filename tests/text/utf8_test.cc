#include "text/utf8.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Utf8, EveryCharacterIsValidAndReadBack) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    append_utf8(c, text);
    if (c >= 0xd800 && c < 0xe000) {
      ASSERT_EQ(first_invalid_utf8(text), 0u) << std::hex << static_cast<uint32_t>(c);
      continue;
    }
    ASSERT_EQ(first_invalid_utf8(text), std::nullopt) << std::hex << static_cast<uint32_t>(c);
    size_t position = 0;
    ASSERT_EQ(next_character(text, position), c);
    ASSERT_EQ(position, text.size());
  }
}

TEST(Utf8, TheFirstInvalidByteIsNamed) {
  EXPECT_EQ(first_invalid_utf8(""), std::nullopt);
  EXPECT_EQ(first_invalid_utf8("abc\xff"), 3u);
  EXPECT_EQ(first_invalid_utf8("\x80"), 0u);
  EXPECT_EQ(first_invalid_utf8("a\xc3"), 1u);             // ends early
  EXPECT_EQ(first_invalid_utf8("\xc0\xaf"), 0u);          // overlong
  EXPECT_EQ(first_invalid_utf8("\xe0\x80\xaf"), 0u);      // overlong
  EXPECT_EQ(first_invalid_utf8("\xf0\x8f\xbf\xbf"), 0u);  // overlong
  EXPECT_EQ(first_invalid_utf8("ab\xed\xa0\x80"), 2u);    // a surrogate
  EXPECT_EQ(first_invalid_utf8("\xf4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(first_invalid_utf8("\xc3\xa9\xe2\x82"), 2u);
  EXPECT_EQ(first_invalid_utf8("\xe2\x82z"), 0u);
}

TEST(Utf8, OnlyAnUnfinishedCharacterIsHeldBack) {
  const std::string text = "a\xf0\x9f\x98\x80";  // a, an emoji of four bytes
  EXPECT_EQ(complete_utf8_length(text), 5u);
  EXPECT_EQ(complete_utf8_length(text.substr(0, 4)), 1u);
  EXPECT_EQ(complete_utf8_length(text.substr(0, 3)), 1u);
  EXPECT_EQ(complete_utf8_length(text.substr(0, 2)), 1u);
  EXPECT_EQ(complete_utf8_length("a"), 1u);
  EXPECT_EQ(complete_utf8_length(""), 0u);
  EXPECT_EQ(complete_utf8_length("a\x80\x80\x80\x80"), 5u);  // can never become a character
  EXPECT_EQ(complete_utf8_length("a\xff"), 2u);
  EXPECT_EQ(complete_utf8_length("a\xe0\x80"), 3u);
}

}  // namespace
}  // namespace prescript
