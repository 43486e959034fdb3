#include "text/regex_syntax.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

TEST(RegexSyntax, WhatBothUnderstandStaysAsItIs) {
  for (const char* pattern : {"a|b",
                              "(?:x)+?",
                              "(?i:'s)",
                              "(?=a)",
                              "(?!a)",
                              "(?<=a)b",
                              "(?<!a)b",
                              "(?>a*)",
                              "a++",
                              "[a-z\\]]",
                              "[^\\r\\n]",
                              "x{2,5}",
                              "x{2}",
                              "x{2,}",
                              "\\.\\-",
                              "日本"}) {
    EXPECT_EQ(pcre2_pattern(pattern, "test"), pattern);
  }
}

TEST(RegexSyntax, WhatMeansAnotherThingIsRewritten) {
  EXPECT_EQ(pcre2_pattern(".", "test"), "[^\\n]");
  EXPECT_EQ(pcre2_pattern("(a)", "test"), "(?:a)");
  EXPECT_EQ(pcre2_pattern("\\u00e9", "test"), "\\x{00e9}");
  EXPECT_EQ(pcre2_pattern("[\\x{1F600}]", "test"), "[\\x{1F600}]");
  EXPECT_EQ(pcre2_pattern("\\p{Lt}", "test"), "[\\p{Lt}]");
  EXPECT_EQ(pcre2_pattern("\\P{Lt}", "test"), "[^\\p{Lt}]");
  EXPECT_EQ(pcre2_pattern("[a\\p{Lt}]", "test"), "[a\\p{Lt}]");
}

TEST(RegexSyntax, WhatIsNotUnderstoodIsRefusedByName) {
  const auto refused = [](const std::string& pattern, const std::string& construct) {
    expect_input_error(
        ExitCode::kModel, "\"" + construct + "\" at byte", [&] { pcre2_pattern(pattern, "test"); });
  };
  refused("^a", "^");
  refused("a$", "$");
  refused("a\\b", "\\b");
  refused("\\w", "\\w");
  refused("\\h", "\\h");
  refused("\\1", "\\1");
  refused("[[:alpha:]]", "[:");
  refused("[a&&b]", "&&");
  refused("[\\S]", "\\S");
  refused("[\\P{L}]", "\\P{L}");
  refused("\\p{Han}", "\\p{Han}");
  refused("\\p{^L}", "\\p{^L}");
  refused("a{2}+", "{2}+");
  refused("a{2}?", "{2}?");
  refused("a{,2}", "{,2}");
  refused("(?m:a)", "(?m");
  refused("(*LIMIT_MATCH=1)a", "(*L");
  refused("\\x41", "\\x");
  refused("a\\", "\\");
}

TEST(RegexSyntax, APatternThatEndsEarlyIsAnError) {
  for (const char* pattern : {"[a", "[", "[^", "\\p{L", "\\p", "a{2", "\\u12", "\\x{12", "[\\"}) {
    expect_input_error(ExitCode::kModel, "test: pattern", [&] { pcre2_pattern(pattern, "test"); });
  }
}

}  // namespace
}  // namespace prescript
