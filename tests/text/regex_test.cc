#include "text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

std::vector<TextRange> find_all(const Regex& regex, std::string_view text) {
  Regex::Workspace workspace;
  std::vector<TextRange> matches;
  regex.find_all(text, workspace, matches);
  return matches;
}

TEST(Regex, FindsAllMatchesFromLeftToRight) {
  EXPECT_THAT(find_all(Regex("a+", "test"), "aabacaaa"),
              testing::ElementsAre(TextRange{0, 2}, TextRange{3, 4}, TextRange{5, 8}));
  EXPECT_THAT(find_all(Regex("(?<=b)a", "test"), "abaa"), testing::ElementsAre(TextRange{2, 3}));
  EXPECT_TRUE(find_all(Regex("a", "test"), "").empty());
}

TEST(Regex, ALiteralMatchesItself) {
  EXPECT_THAT(find_all(Regex::literal("a.b", "test"), "aXb a.b"),
              testing::ElementsAre(TextRange{4, 7}));
}

TEST(Regex, BadPatternsAreRefused) {
  expect_input_error(
      ExitCode::kModel, "file: pattern \"(a\" is not valid", [] { Regex("(a", "file"); });
  expect_input_error(ExitCode::kModel, "matches the empty text", [] { Regex("a*", "file"); });
  expect_input_error(
      ExitCode::kModel, "matches the empty text", [] { Regex::literal("", "file"); });
}

TEST(Regex, EndlessBacktrackingEndsInAnError) {
  const Regex regex("(?:a+)+[bc]", "test");
  expect_input_error(
      ExitCode::kData, "gave up at byte 0", [&] { find_all(regex, std::string(60, 'a')); });
}

TEST(Regex, LongRepetitionsOfGroupsMatch) {
  const std::string text(200'000, 'a');
  EXPECT_THAT(find_all(Regex("(?:a|b)+", "test"), text),
              testing::ElementsAre(TextRange{0, text.size()}));
}

}  // namespace
}  // namespace prescript
