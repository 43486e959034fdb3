#include "text/normal_form.h"

#include <gtest/gtest.h>

#include "text/tokenizer_golden.h"
#include "text/utf8.h"

namespace prescript {
namespace {

std::string normalized(std::string_view text, NormalForm form) {
  std::string result;
  for (const NormalizedSpan& span : normalized_spans(text, form)) result += span.text;
  return result;
}

std::string utf8(const nlohmann::json& characters) {
  std::string text;
  for (const auto& character : characters) append_utf8(character.get<uint32_t>(), text);
  return text;
}

TEST(NormalForm, ChangesEveryCharacterAsTokenizersDoes) {
  const auto golden = tokenizer_golden("normal_forms.json");
  EXPECT_EQ(golden.size(), 2u);
  for (const auto& [name, changed] : golden.items()) {
    const NormalForm form = name == "NFC" ? NormalForm::kNfc : NormalForm::kNfkc;
    EXPECT_GE(changed["characters"].size(), 1000u);
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xd800 && c < 0xe000) continue;
      std::string text;
      append_utf8(c, text);
      const auto found = changed["characters"].find(std::to_string(static_cast<uint32_t>(c)));
      const std::string expected = found == changed["characters"].end() ? text : utf8(*found);
      ASSERT_EQ(normalized(text, form), expected) << name << " " << static_cast<uint32_t>(c);
    }
    EXPECT_GE(changed["texts"].size(), 500u);
    for (const auto& pair : changed["texts"]) {
      EXPECT_EQ(normalized(utf8(pair[0]), form), utf8(pair[1])) << name << " " << pair[0];
    }
  }
}

TEST(NormalForm, SpansSayWhatTheyStandFor) {
  const auto spans = normalized_spans("ab\u0301c", NormalForm::kNfc);
  std::string text;
  for (const auto& span : spans) {
    if (!span.is_changed) {
      EXPECT_EQ(span.text, std::string("ab\u0301c").substr(span.begin, span.text.size()));
    }
    text += span.text;
  }
  EXPECT_EQ(text, "ab\u0301c");  // there is no b with an acute accent

  const auto joined = normalized_spans("ae\u0301c", NormalForm::kNfc);
  ASSERT_EQ(joined.size(), 3u);
  EXPECT_EQ(joined[1].begin, 1u);
  EXPECT_TRUE(joined[1].is_changed);
  EXPECT_EQ(joined[1].text, "\u00e9");
  EXPECT_EQ(joined[2].begin, 4u);
  EXPECT_FALSE(joined[2].is_changed);
}

}  // namespace
}  // namespace prescript
