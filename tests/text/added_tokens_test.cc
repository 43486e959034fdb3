#include "text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/tokenizer_golden.h"
#include "text/tokens.h"

namespace prescript {
namespace {

TEST(AddedTokens, AreFoundAsTokenizersFindsThem) {
  const Tokenizer tokenizer = Tokenizer::from_json_file(tokenizer_golden_path("added_tokens.json"));
  const auto lines = tokenizer_golden_lines("added_tokens.jsonl");
  EXPECT_EQ(lines.size(), 250u);
  for (const auto& line : lines) {
    const auto text = line[0].get<std::string>();
    EXPECT_EQ(ids_of(tokenizer.encode(text, SpecialTokens::kText)),
              line[1].get<std::vector<int32_t>>())
        << line[0];
    EXPECT_EQ(ids_of(tokenizer.encode(text, SpecialTokens::kParse)),
              line[2].get<std::vector<int32_t>>())
        << line[0];
  }
}

AddedTokens three_tokens() {
  return AddedTokens({{.id = 0, .special = true}, {.id = 1, .special = true}, {.id = 2}},
                     {"<a>", "<a><b>", "b>"},
                     "test");
}

TEST(AddedTokens, TheLeftmostAndOfTheseTheLongestIsTaken) {
  EXPECT_THAT(three_tokens().split("x<a><b><a>b>", false, true),
              testing::ElementsAre(TextSegment{0, 1, std::nullopt},
                                   TextSegment{1, 7, 1},
                                   TextSegment{7, 10, 0},
                                   TextSegment{10, 12, 2}));
}

TEST(AddedTokens, ASpecialTokenThatStaysTextHidesWhatIsInside) {
  EXPECT_THAT(three_tokens().split("<a><b>b>", false, false),
              testing::ElementsAre(TextSegment{0, 6, std::nullopt}, TextSegment{6, 8, 2}));
}

TEST(AddedTokens, NormalizedTokensAreFoundByThemselves) {
  const AddedTokens tokens({{.id = 0}, {.id = 1, .normalized = true}}, {"a", "b"}, "test");
  EXPECT_THAT(tokens.split("ab", false, true),
              testing::ElementsAre(TextSegment{0, 1, 0}, TextSegment{1, 2, std::nullopt}));
  EXPECT_THAT(tokens.split("ab", true, true),
              testing::ElementsAre(TextSegment{0, 1, std::nullopt}, TextSegment{1, 2, 1}));
}

TEST(AddedTokens, EmptyTextHasNoSegments) {
  EXPECT_TRUE(three_tokens().split("", false, true).empty());
}

TEST(AddedTokens, WhatCannotBeMatchedIsRefused) {
  const auto refused = [](const AddedToken& token, const std::string& text, const char* part) {
    expect_input_error(ExitCode::kModel, part, [&] {
      AddedTokens({token, {.id = 1, .rstrip = true}}, {text, "x"}, "file");
    });
  };
  refused({.id = 0}, "", "added token 0 has 0 bytes");
  refused({.id = 0}, std::string(513, 'x'), "added token 0 has 513 bytes");
  refused({.id = 0}, "\u00a0x", "overlap");
}

}  // namespace
}  // namespace prescript
