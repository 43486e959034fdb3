#include "io/json.h"

#include <chrono>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using nlohmann::json;

json parse(std::string_view text, const JsonLimits& limits = {}) {
  return parse_json(text, "a.json", ExitCode::kData, limits);
}

TEST(Json, BuildsTheSameValueAsThePlainParser) {
  for (const char* text :
       {R"({"a": [1, -2, 3.5, true, null, "x\u00e9\ud83d\ude00"], "b": {"c": {}, "d": []}, "": 0})",
        "[]",
        "{}",
        "0",
        "\"\"",
        "null",
        " [[[1],[2]],{\"k\":[{}]}] ",
        "18446744073709551615",
        "-9223372036854775808",
        "1e300",
        "\xEF\xBB\xBF{}"})
    EXPECT_EQ(parse(text), json::parse(text)) << text;
}

TEST(Json, MalformedTextIsRefusedWithItsPlace) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"", "a.json:1:0: syntax error while parsing value - unexpected end of input"},
      {"{\"a\": 1,\n \"b\": x}", "a.json:2:7: syntax error while parsing value - invalid literal"},
      {"{\"a\": 1,}",
       "a.json:1:9: syntax error while parsing object key - unexpected '}'; expected string"},
      {"[1 2]", "unexpected number literal"},
      {"{} {}", "a.json:1:4: "},
      {"[NaN]", "invalid literal"},
      {"[Infinity]", "invalid literal"},
      {"[1e999]", "a number is outside of float64"},
      {"[01]", "unexpected number literal"},
      {"['a']", "invalid literal"},
      {"// comment\n{}", "invalid literal"},
      {"\"\xff\"", "ill-formed UTF-8"},
      {"\"\xed\xa0\x80\"", "ill-formed UTF-8"},
      {"\"\\ud800\"", "surrogate"},
      {"\"a\nb\"", "control character"},
      {"{\"a\": {\"b\": 1,\n\"b\": 2}}", "a.json:2:3: the key \"b\" comes twice"},
      {"{\"a\": 1, \"\\u0061\": 2}", "the key \"a\" comes twice"},
      {"\"abc", "missing closing quote"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    expect_input_error(ExitCode::kData, message, [&, text = text] { parse(text); });
  }
}

TEST(Json, MessagesHoldNoTextOfTheFile) {
  for (const char* text : {"{\"question\": \"secret patient\" \"x\"}",
                           "{\"question\": \"secret patient\x01\"}",
                           "[\"'; expected secret patient\" 1]",
                           "{\"q\": \"secret patient"}) {
    try {
      parse(text);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

TEST(Json, LimitsHoldSizeAndDepth) {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  EXPECT_NO_THROW(parse(deep));
  expect_input_error(
      ExitCode::kData, "a.json:1:65: nested deeper than 64", [&] { parse("[" + deep + "]"); });
  expect_input_error(ExitCode::kData, "nested deeper", [&] { parse(std::string(1 << 20, '[')); });
  expect_input_error(
      ExitCode::kData, "6 bytes of JSON; at most 5", [&] { parse("123456", {.max_bytes = 5}); });
}

TEST(Json, DamagedTextNeverCrashes) {
  const std::string text =
      R"({"model": {"vocab": {"a": 0, "b\u00e9": 1}, "merges": [["a", "b"], "a b"], "x": [1.5e3, -7, true, null]}})";
  int refused = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    try {
      parse(damaged(text, i, text.size()));
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
}

TEST(Json, ReadsLargeTokenizersInReasonableTime) {
  json large;
  for (int i = 0; i < 100000; ++i) large["model"]["vocab"]["token " + std::to_string(i)] = i;
  for (int i = 0; i < 100000; ++i)
    large["model"]["merges"].push_back({"to", "ken " + std::to_string(i)});
  const std::string text = large.dump();
  ASSERT_GT(text.size(), 3500000u);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse(text, kTokenizerJsonLimits), large);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Json, FileIsNamed) {
  const TemporaryDirectory dir;
  const std::string path = dir.write("config.json", "{\"a\": }");
  expect_input_error(
      ExitCode::kModel, "config.json:1:7: ", [&] { parse_json_file(path, ExitCode::kModel); });
  expect_input_error(
      ExitCode::kModel, "No such file", [&] { parse_json_file(dir / "no", ExitCode::kModel); });
}

class JsonCursorTest : public ::testing::Test {
 protected:
  json value = parse(
      R"({"size": 3, "base": 1.5, "name": "x", "yes": true, "none": null, "list": [1, {"deep": "y"}],
                         "big": 18446744073709551615})");
  JsonCursor root{value, "config.json", ExitCode::kModel};
};

TEST_F(JsonCursorTest, ReadsValues) {
  EXPECT_EQ(root.at("size").integer(), 3);
  EXPECT_EQ(root.at("size").number(), 3.0);
  EXPECT_EQ(root.at("base").number(), 1.5);
  EXPECT_EQ(root.at("name").string(), "x");
  EXPECT_TRUE(root.at("yes").boolean());
  EXPECT_TRUE(root.at("none").is_null());
  EXPECT_EQ(root.at("list").size(), 2u);
  EXPECT_EQ(root.at("list").item(1).at("deep").string(), "y");
  EXPECT_FALSE(root.find("none").has_value());
  EXPECT_FALSE(root.find("absent").has_value());
  EXPECT_EQ(root.find("size")->integer(0, 3), 3);
  EXPECT_EQ(root.keys().size(), 7u);
}

TEST_F(JsonCursorTest, WrongTypesAreRefusedWithTheirPath) {
  const auto expect = [](const char* message, auto action) {
    expect_input_error(ExitCode::kModel, message, action);
  };
  expect("config.json: absent: missing", [&] { root.at("absent"); });
  expect("config.json: name: expected a number, found a string", [&] { root.at("name").number(); });
  expect("config.json: base: expected a whole number, found a number with a fraction",
         [&] { root.at("base").integer(); });
  expect("config.json: yes: expected a whole number, found a boolean",
         [&] { root.at("yes").integer(); });
  expect("config.json: size: 3 is not in [4, 9]", [&] { root.at("size").integer(4, 9); });
  expect("config.json: big: 18446744073709551615 is not in", [&] { root.at("big").integer(); });
  expect("config.json: none: expected a string, found null", [&] { root.at("none").string(); });
  expect("config.json: size: expected true or false", [&] { root.at("size").boolean(); });
  expect("config.json: list[1].deep: expected an array, found a string",
         [&] { root.at("list").item(1).at("deep").size(); });
  expect("config.json: list: has no item 2", [&] { root.at("list").item(2); });
  expect("config.json: list: expected an object, found an array", [&] { root.at("list").at("x"); });
  expect("config.json: expected an array, found an object", [&] { root.size(); });
}

TEST(Json, ALineHasItsNumberInItsPlace) {
  EXPECT_EQ(parse_json_line("{\"a\": 1}", "a.jsonl:7", ExitCode::kData).at("a"), 1);
  expect_input_error(ExitCode::kData, "a.jsonl:7:7: ", [] {
    parse_json_line("{\"a\": x}", "a.jsonl:7", ExitCode::kData);
  });
}

}  // namespace
}  // namespace prescript
