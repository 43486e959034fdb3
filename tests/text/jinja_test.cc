// The parts below chat templates, where a template would not show what they do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/jinja_date.h"
#include "text/jinja_json.h"
#include "text/jinja_lexer.h"
#include "text/jinja_loop.h"
#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

using testing::ElementsAre;

const std::string kPlace = "file";

TEST(JinjaLexer, TokensKnowTheirLines) {
  const auto tokens = tokenize("a\n{{\n'b\nc' }}\n{# d\n#}{% if\nx %}", kPlace);
  std::vector<size_t> lines;
  for (const Token& token : tokens) lines.push_back(token.line);
  EXPECT_THAT(lines, ElementsAre(1, 2, 3, 4, 4, 6, 6, 7, 7, 7));
}

TEST(JinjaLexer, WhatIsNoTokenIsRefusedWithItsLine) {
  const auto refused = [](const std::string& text, const std::string& part) {
    expect_input_error(ExitCode::kModel, part, [&] { tokenize(text, kPlace); });
  };
  refused("\n{{ $ }}", "file:2: a character that is not supported");
  refused("{{ a", "file:1: a tag has no end: }} is missing");
  refused("{# a", "this comment has no end");
  refused("{% raw %} a", "{% raw %} has no {% endraw %}");
  refused("{{ 'a", "a string has no end");
  refused("{{ 'a\\", "a string has no end");
  refused("{{ '\\x4' }}", "an escape that is too short");
  refused("{{ '\\ud800' }}", "an escape that is no character");
  refused("{{ (a] }}", "an unexpected ']'");
  refused("{{ 99999999999999999999 }}", "does not fit into 64 bits");
  refused("{{ 0x10 }}", "a number that is not supported");
  refused("{{ é }}", "a character that is not supported");
}

TEST(JinjaText, CharactersAreCountedNotBytes) {
  const Characters characters("aé👩x");
  ASSERT_EQ(characters.size(), 4u);
  EXPECT_EQ(characters.range(1, 3), "é👩");
  EXPECT_EQ(characters.range(4, 4), "");
  EXPECT_EQ(Characters("abc").range(1, 2), "b");
}

TEST(JinjaText, EndsAreStrippedOfWholeCharacters) {
  EXPECT_EQ(strip("\u00a0 é\u3000", std::nullopt, Side::kBoth), "é");
  EXPECT_EQ(strip("  a ", std::nullopt, Side::kRight), "  a");
  EXPECT_EQ(strip("ééaè", "é", Side::kBoth), "aè");  // both letters begin with the same byte
  EXPECT_EQ(strip(" \n", std::nullopt, Side::kBoth), "");
}

TEST(JinjaText, SplittingKeepsWhatIsBehindTheLastSplit) {
  EXPECT_THAT(split(" a  b c ", std::nullopt, SIZE_MAX), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split(" a  b c ", std::nullopt, 1), ElementsAre("a", "b c "));
  EXPECT_THAT(split("a,,b", ",", SIZE_MAX), ElementsAre("a", "", "b"));
  EXPECT_THAT(split("a,b,c", ",", 1), ElementsAre("a", "b,c"));
}

TEST(JinjaText, SearchTakesLinearTime) {
  const std::string text(4'000'000, 'a');
  EXPECT_EQ(find_text(text, std::string(2'000'000, 'a') + "b"), std::string::npos);
  EXPECT_EQ(find_text("abcabc", "bc", 2), 4u);
  EXPECT_EQ(find_text("abc", "", 3), 3u);
}

TEST(JinjaValue, FloatsPrintAsInPython) {
  EXPECT_EQ(float_text(0.1), "0.1");
  EXPECT_EQ(float_text(-3), "-3.0");
  EXPECT_EQ(float_text(1e16), "1e+16");
  EXPECT_EQ(float_text(9007199254740993), "9007199254740992.0");
  EXPECT_EQ(float_text(0.00001), "1e-05");
  EXPECT_EQ(float_text(1.0 / 0.0), "inf");
}

TEST(JinjaJson, EveryFormIsThatOfPythonsJson) {
  jinja::Run run(kPlace, 1000);
  const Value value =
      dict_value(run,
                 {{text_value("b"), sequence_value(run, SequenceKind::kList, {int64_t{1}, None{}})},
                  {text_value("a"), text_value("é\"")}});
  EXPECT_EQ(to_json(run, value, {}), R"({"b": [1, null], "a": "é\""})");
  JsonForm form;
  form.ensure_ascii = true;
  form.sort_keys = true;
  form.indent = " ";
  form.item_separator = ",";
  EXPECT_EQ(to_json(run, value, form),
            "{\n \"a\": \"\\u00e9\\\"\",\n \"b\": [\n  1,\n  null\n ]\n}");
}

TEST(JinjaDate, DaysOfTheCalendarOnly) {
  EXPECT_TRUE(is_date("2024-02-29"));
  for (const char* date : {"2023-02-29", "2024-13-01", "2024-1-1", "2024-01-00", "", "20240-1-01"})
    EXPECT_FALSE(is_date(date)) << date;
  jinja::Run run(kPlace, 1000);
  EXPECT_EQ(format_date(run, "%a %A %b %B %d %-d %m %j %y %H%% \u00e9", "2024-07-06"),
            "Sat Saturday Jul July 06 6 07 188 24 00% \u00e9");
}

TEST(JinjaLoop, ItemsAreTestedWhenTheyAreNeeded) {
  int num_tested = 0;
  Loop loop({int64_t{1}, int64_t{2}, int64_t{3}}, [&](const Value& item) {
    ++num_tested;
    return std::get<int64_t>(item) != 2;
  });
  ASSERT_TRUE(loop.next().has_value());
  EXPECT_EQ(num_tested, 1);
  EXPECT_FALSE(std::get<bool>(loop.attribute("last")));
  EXPECT_EQ(num_tested, 3);
  EXPECT_EQ(std::get<int64_t>(loop.attribute("length")), 2);
  EXPECT_TRUE(loop.next().has_value());
  EXPECT_FALSE(loop.next().has_value());
}

}  // namespace
}  // namespace prescript::jinja
