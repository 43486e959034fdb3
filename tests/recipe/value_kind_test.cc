#include "recipe/value_kind.h"

#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"

namespace prescript {
namespace {

YamlValue value_of(std::string_view yaml) {
  return parse_yaml(yaml, "test", ExitCode::kUsage);
}

/// Expects that the kind reads exactly the first texts.
template <typename T>
void expect_reads(const ValueKind<T>& kind,
                  const std::vector<const char*>& allowed,
                  const std::vector<const char*>& refused) {
  for (const char* text : allowed) EXPECT_TRUE(kind.read(value_of(text))) << text;
  for (const char* text : refused) EXPECT_FALSE(kind.read(value_of(text))) << text;
}

TEST(ValueKind, TruthValuesAreTrueAndFalse) {
  expect_reads(true_or_false(),
               {"true", "True", "FALSE", "false"},
               {"yes", "no", "on", "1", "0", "\"true\"", "tRue", "[true]", "{true: 1}"});
  EXPECT_EQ(true_or_false().read(value_of("true")), true);
  EXPECT_EQ(true_or_false().read(value_of("false")), false);
}

TEST(ValueKind, WholeNumbersAreWrittenWholeAndInRange) {
  expect_reads(whole_number(-2, 300),
               {"-2", "300", "0", "-0", "17"},
               {"-3",
                "301",
                "1.0",
                "1e2",
                "\"1\"",
                "'1'",
                "+1",
                "0x10",
                "1_0",
                "1,0",
                "one",
                "1 2",
                "true",
                "[1]",
                "99999999999999999999",
                "''",
                "~1",
                ".inf"});
  EXPECT_EQ(whole_number(-2, 300).read(value_of("-2")), -2);
  EXPECT_EQ(whole_number(0, 300).allowed, "a whole number in [0, 300]");
}

TEST(ValueKind, SeedsCoverAllBits) {
  expect_reads(any_seed(),
               {"0", "9223372036854775808", "18446744073709551615"},
               {"-1", "18446744073709551616", "1.5"});
  EXPECT_EQ(any_seed().read(value_of("18446744073709551615")), UINT64_MAX);
}

TEST(ValueKind, NumbersAreFiniteAndInRange) {
  expect_reads(number(0, 1000),
               {"0", "1000", "0.003", "1.0e-5", "1e-5", "1E+2", ".5", "5.", "-0.0"},
               {"-1e-9",
                "1000.1",
                ".nan",
                ".inf",
                "-.inf",
                "nan",
                "inf",
                "infinity",
                "1e999",
                "\"1\"",
                "1e",
                "0x1p3",
                "1.5x",
                "true",
                "{a: 1}"});
  EXPECT_EQ(number(0, 1000).read(value_of("1.0e-5")), 1e-5);
}

TEST(ValueKind, TextIsNoNumberUnlessQuoted) {
  expect_reads(text("text"),
               {"a b",
                "\"1\"",
                "'true'",
                "'null'",
                "auto",
                "2025-01-01",
                "\"a: b\"",
                "'a\nb'",
                "1x",
                "/m",
                "yes",
                ".nan",
                "\" \""},
               {"1", "-1.5", "1e9", "true", "False", "''", "\"a\\0b\"", "[a]", "{a: b}"});
}

TEST(ValueKind, ABlankTextIsNoInstruction) {
  expect_reads(text_not_blank(), {"a b", "\" a\"", "\"1\""}, {"\" \"", "'\n \t'", "''", "1"});
}

TEST(ValueKind, WordsAreOneOfTheList) {
  const ValueKind<std::string> kind = one_of({"start", "after_bos", "end"});
  expect_reads(kind, {"start", "\"end\""}, {"Start", "", "''", "starts", "[start]"});
  EXPECT_EQ(kind.allowed, "start, after_bos or end");
  EXPECT_EQ(one_of({"adamw"}).allowed, "adamw");
}

TEST(ValueKind, DatesAreDaysOfTheCalendar) {
  expect_reads(date(),
               {"2025-01-31", "\"2024-02-29\"", "0001-01-01"},
               {"2025-02-29",
                "2025-13-01",
                "2025-00-10",
                "2025-1-1",
                "25-01-01",
                "2025-01-32",
                "2025/01/01",
                "\"2025-01-01 \"",
                "2025-01-01T00:00",
                "today",
                "20250101",
                "-025-01-01"});
}

TEST(ValueKind, AutoIsAWordBesideTheNumbers) {
  const auto kind = or_auto(whole_number(1, 9));
  expect_reads(kind, {"auto", "\"auto\"", "1", "9"}, {"Auto", "10", "none", "[auto]"});
  EXPECT_EQ(kind.read(value_of("auto")).value(), std::nullopt);
  EXPECT_EQ(kind.read(value_of("3")).value(), 3);
  EXPECT_EQ(kind.write(std::nullopt), "auto");
  EXPECT_EQ(kind.write(3), "3");
  EXPECT_EQ(kind.allowed, "auto or a whole number in [1, 9]");
  EXPECT_EQ(or_absent(date()).write(std::nullopt), "null");
  EXPECT_EQ(or_absent(text("text")).write("null"), "\"null\"");
}

TEST(ValueKind, NumbersReadBackBitForBit) {
  const ValueKind<double> kind = number(-1e308, 1e308);
  int num_compared = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    const auto value = std::bit_cast<double>(RandomStream(1, "doubles", i).next_u64());
    if (!std::isfinite(value) || std::abs(value) > 1e308) continue;
    const auto back = kind.read(value_of(kind.write(value)));
    ASSERT_TRUE(back) << kind.write(value);
    EXPECT_EQ(std::bit_cast<uint64_t>(*back), std::bit_cast<uint64_t>(value));
    ++num_compared;
  }
  EXPECT_GT(num_compared, 4000);
}

TEST(ValueKind, NumbersAreNumbersToOtherReadersOfYamlToo) {
  // YAML 1.1: a point, and a sign in the exponent.
  EXPECT_EQ(number(0, 1).write(1e-5), "1.0e-05");
  EXPECT_EQ(number(0, 1e300).write(2.5e100), "2.5e+100");
  EXPECT_EQ(number(0, 1).write(0.003), "0.003");
  EXPECT_EQ(number(0, 1).write(1), "1");
}

TEST(ValueKind, ListsHoldDifferentValuesAndAtLeastOne) {
  const auto kind = list_of(whole_number(0, 9));
  expect_reads(
      kind,
      {"[1]", "[3, 1, 2]", "- 0\n- 9"},
      {"[]", "1", "[1, 1]", "[1, 2, 01]", "[10]", "[[1]]", "[1, null]", "{a: 1}", "['1']"});
  EXPECT_EQ(kind.read(value_of("[3, 1, 2]")), (std::vector<int64_t>{3, 1, 2}));
  EXPECT_EQ(kind.write({3, 1, 2}), "[3, 1, 2]");
  EXPECT_EQ(list_of(number(0, 1)).write({0.5, 1e-7}), "[0.5, 1.0e-07]");
  expect_reads(list_of(number(0, 1)), {"[0.5, 0.25]"}, {"[0.5, 5.0e-1]", "[0, -0]"});
}

TEST(ValueKind, ValuesAreDescribedByTheirKind) {
  EXPECT_EQ(describe(value_of("1e3")), "the number 1e3");
  EXPECT_EQ(describe(value_of("'1'")), "the text \"1\"");
  EXPECT_EQ(describe(value_of("true")), "the truth value true");
  EXPECT_EQ(describe(value_of("\"\\n\"")), "the text \"\\x0a\"");
  EXPECT_EQ(describe(value_of("''")), "an empty text");
  EXPECT_EQ(describe(value_of("[1, a, 1e3]")), "the list [1, \"a\", 1e3]");
  EXPECT_EQ(describe(value_of("[[1], {b: 2}, null, true]")), "the list [[1], {...}, null, true]");
  EXPECT_EQ(describe(value_of("[" + std::string(200, '1') + "]")), "a list");
  EXPECT_EQ(describe(value_of("[]")), "an empty list");
  EXPECT_EQ(describe(value_of("a: 1")), "a group of keys");
}

}  // namespace
}  // namespace prescript
