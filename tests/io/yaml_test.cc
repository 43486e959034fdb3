#include "io/yaml.h"

#include <chrono>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "support/damage.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

using Kind = YamlValue::Kind;

YamlValue parse(std::string_view text, const YamlLimits& limits = {}) {
  return parse_yaml(text, "a.yaml", ExitCode::kUsage, limits);
}

/// The value on one line: kinds, texts and order, without places.
std::string shown(const YamlValue& value) {
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      return value.quoted ? "'" + value.scalar + "'" : value.scalar;
    case Kind::kSequence: {
      std::string text = "[";
      for (const YamlValue& item : value.items) text += shown(item) + ",";
      return text + "]";
    }
    case Kind::kMapping: {
      std::string text = "{";
      for (const auto& [key, member] : value.members) text += key + "=" + shown(member) + ",";
      return text + "}";
    }
  }
  return "";
}

TEST(Yaml, ReadsBlockAndFlowStyle) {
  EXPECT_EQ(shown(parse("a: 1\nb:\n  c: 'x'\n  d: [1, \"2\"]\n  e:\n  - y\n  - {f: z}\n")),
            "{a=1,b={c='x',d=[1,'2',],e=[y,{f=z,},],},}");
  EXPECT_EQ(shown(parse("{b: 1, a: {}}")), "{b=1,a={},}");
  EXPECT_EQ(shown(parse("text: |\n  one\n  two\nnext: x # comment\n")),
            "{text='one\ntwo\n',next=x,}");
  EXPECT_EQ(shown(parse("'it''s': \"\\u00e9\\t\"")), "{it's='\xC3\xA9\t',}");
  EXPECT_EQ(shown(parse("---\r\na: 1\r\n...\r\n")), "{a=1,}");
  EXPECT_EQ(shown(parse("\xEF\xBB\xBF%YAML 1.2\n---\na: 1")), "{a=1,}");
  EXPECT_EQ(shown(parse("1.0e-5")), "1.0e-5");
}

TEST(Yaml, OnlyPlainNullIsNull) {
  EXPECT_EQ(shown(parse("a:\nb: null\nc: ~\nd: 'null'\ne: ''\nf: nullify")),
            "{a=null,b=null,c=null,d='null',e='',f=nullify,}");
  for (const char* nothing : {"", "  \n", "# comment", "---"}) {
    EXPECT_EQ(parse(nothing).kind, Kind::kNull) << nothing;
  }
}

TEST(Yaml, PlacesAreThoseOfKeysAndItems) {
  const YamlValue root = parse("# x\na: 1\nb:\n  \"c\": [7,\n    8]\n");
  const auto place = [](const YamlValue& value) { return std::pair(value.line, value.column); };
  EXPECT_EQ(place(root), std::pair(2, 1));
  EXPECT_EQ(place(*root.find("a")), std::pair(2, 1));
  EXPECT_EQ(place(*root.find("b")), std::pair(3, 1));
  const YamlValue& c = *root.find("b")->find("c");
  EXPECT_EQ(place(c), std::pair(4, 3));
  EXPECT_EQ(place(c.items[0]), std::pair(4, 9));
  EXPECT_EQ(place(c.items[1]), std::pair(5, 5));
  EXPECT_EQ(root.find("c"), nullptr);
}

TEST(Yaml, JsonHasTheSameValuesAndPlaces) {
  const std::string text =
      "\xEF\xBB\xBF {\t\"a\": 1e-5,\r\n\"b\" :{\"c\":[ null "
      ",true,{},[],\"\\\"x\\\\\"]},\n\t\"\":\"\"}\n";
  const YamlValue root = parse(text);
  EXPECT_EQ(shown(root), "{a=1e-5,b={c=[null,true,{},[],'\"x\\',],},='',}");
  EXPECT_EQ(root.find("a")->column, 4);
  EXPECT_EQ(root.find("b")->line, 2);
  EXPECT_EQ(root.find("b")->find("c")->column, 7);
  EXPECT_EQ(root.find("b")->find("c")->items[1].column, 19);
  EXPECT_EQ(root.find("")->line, 3);
}

TEST(Yaml, JsonEscapesMeanWhatJsonSays) {
  const std::string text = R"({"\u0061\/": "\ud83d\ude00\u00e9\n\u0000\b"})";
  const auto json = nlohmann::json::parse(text);
  const YamlValue root = parse(text);
  EXPECT_EQ(root.members[0].first, json.begin().key());
  EXPECT_EQ(root.members[0].second.scalar, json.begin()->get<std::string>());
}

TEST(Yaml, MalformedTextIsRefusedWithItsPlace) {
  struct Case {
    std::string_view text;
    const char* message;
  };
  using namespace std::string_view_literals;
  const Case cases[] = {
      {"a: [1, 2", "a.yaml:1:9: not YAML: \"end of sequence flow not found\""},
      {"a: 1\nb: 'x", "a.yaml:2:6: not YAML"},
      {"a: \"\\q\"", "unknown escape character"},
      {"a: b: c", "a.yaml:1:5: not YAML"},
      {"a:\n\tb: 1", "a.yaml:2:3: not YAML"},
      {"a: 1\n b: 2", "a.yaml:2:3: not YAML"},
      {"a: @x", "a.yaml:1:4: not YAML"},
      {"%YAML 9.9\n---\na: 1", "a.yaml:1:1: not YAML"},
      {"a: 1\nb: 2\na: 3", "a.yaml:3:1: the key \"a\" comes twice"},
      {"a: {b: 1, 'b': 2}", "a.yaml:1:11: the key \"b\" comes twice"},
      {"a: &x 1", "a.yaml:1:4: tags, anchors and aliases"},
      {"&x a: 1", "a.yaml:1:1: tags, anchors and aliases"},
      {"a: &x [*x]", "a.yaml:1:4: tags, anchors and aliases"},
      {"a: &x\nb: 1", "a.yaml:1:4: tags, anchors and aliases"},
      {"a: *x", "a.yaml:1:4: not YAML"},
      {"a: !!str 1", "a.yaml:1:4: tags, anchors and aliases"},
      {"a: ! 1", "a.yaml:1:4: tags, anchors and aliases"},
      {"!x a: 1", "a.yaml:1:1: tags, anchors and aliases"},
      {"a: 1\n---\nb: 2", "a.yaml:2:1: a second document"},
      {"a: 1\n...\nb: 2", "a.yaml:3:1: a second document"},
      {"? [1]\n: 2", "a.yaml:1:3: this key is not text"},
      {"{a: 1}: 2", "a.yaml:1:1: this key is not text"},
      {": 1", "a.yaml:1:1: this key is not text"},
      {"null: 1", "a.yaml:1:1: this key is not text"},
      {"a: x\xFFy", "a.yaml:1:5: byte 255 is not UTF-8"},
      {"a: \xED\xA0\x80", "a.yaml:1:4: byte 237 is not UTF-8"},
      {"a: 1\nb: x\0"sv, "a.yaml:2:5: a control character (byte 0)"},
      {"\xFF\xFE"
       "a\0:\0"sv,
       "a.yaml:1:1: byte 255 is not UTF-8"},
      {"{\"a\": 1,\n \"a\": 2}", "a.yaml:2:4: the key \"a\" comes twice"},
      {"{\"a\": 1} x", "a.yaml:1:10: syntax error"},
      {"{\"a\": 1}\n{\"a\": 1}", "a.yaml:2:1: syntax error"},
      {"{\"a\": 'x'}", "a.yaml:1:7: syntax error"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    expect_input_error(ExitCode::kUsage, message, [&, text = text] { parse(text); });
  }
  expect_input_error(
      ExitCode::kData, "x:1:1: not YAML", [] { parse_yaml("@", "x", ExitCode::kData); });
}

TEST(Yaml, LimitsHoldSizeDepthAndNumberOfValues) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse(nested(32)));
  expect_input_error(
      ExitCode::kUsage, "a.yaml:1:33: nested deeper than 32", [&] { parse(nested(33)); });
  expect_input_error(
      ExitCode::kUsage, "nested deeper than 32", [&] { parse("{\"a\": " + nested(32) + "}"); });
  for (const char* text : {"[1, 2, 3]", "{\"a\": [1]}", "{a: [1]}"}) {
    SCOPED_TRACE(text);
    EXPECT_NO_THROW(parse(text, {.max_nodes = 4}));
    expect_input_error(
        ExitCode::kUsage, "more than 2 values", [&] { parse(text, {.max_nodes = 2}); });
  }
  expect_input_error(
      ExitCode::kUsage, "6 bytes of YAML; at most 5", [] { parse("a: 123", {.max_bytes = 5}); });
}

TEST(Yaml, LargeHostileTextEndsSoon) {
  const auto repeated = [](std::string_view part) {
    std::string text;
    while (text.size() + part.size() <= YamlLimits().max_bytes) text += part;
    return text;
  };
  std::string staircase;
  for (int i = 0; i < 1400; ++i) staircase += std::string(i, ' ') + "-\n";
  std::string keys;
  for (int i = 0; i < 49'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  std::vector<std::string> texts = {staircase, keys, "'" + repeated("x").substr(2)};
  for (const char* part :
       {"[",   "{",          "{\"a\":", "[[],",    "- ",    "? ",  ": ",  "a: ",    "a: [", "!",
        "&a ", "*a ",        "%a b\n",  "---\n",   "...\n", "#\n", "\n",  " ",      "\t",   "''",
        "x ",  "\"a\": {\n", "- a\n",   "{a b: ,", "\\",    ",",   "|\n", "&a [*a,"}) {
    texts.push_back(repeated(part));
  }
  for (const std::string& text : texts) {
    SCOPED_TRACE(text.substr(0, 20));
    const auto start = std::chrono::steady_clock::now();
    try {
      parse(text);
    } catch (const InputError&) {
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  }
}

TEST(Yaml, DamagedTextNeverCrashes) {
  const std::string texts[] = {
      "# c\na: &x 1\nb:\n  - 'x'\n  - {c: \"\\u00e9\", d: [1, *x]}\ntext: >-\n  one\n\n  two\n? "
      "k\n: !t v\n",
      R"({"a": [1, -2.5e3, true, null, "x\u00e9\ud83d\ude00"], "b": {"c": {}, "d": []}})"};
  for (const std::string& text : texts) {
    int num_refused = 0;
    for (uint64_t i = 0; i < 4000; ++i) {
      try {
        parse(damaged(text, i, text.size()));
      } catch (const InputError&) {
        ++num_refused;
      }
    }
    EXPECT_GT(num_refused, 1000);
  }
}

TEST(Yaml, PlainWordsStayPlain) {
  for (const char* word : {"bf16", "checkpoints/demo", "/models/a-b_c.gguf", "x"}) {
    EXPECT_EQ(yaml_string(word), word);
  }
}

TEST(Yaml, StringsReadBackAsTheyAre) {
  const auto expect_back = [](const std::string& text) {
    const std::string written = yaml_string(text);
    EXPECT_EQ(written.find('\n'), std::string::npos) << written;
    for (const YamlValue& value :
         {parse(written), *parse("k: " + written).find("k"), parse("[" + written + "]").items[0]}) {
      EXPECT_EQ(value.kind, Kind::kScalar) << written;
      EXPECT_EQ(value.scalar, text) << written;
    }
  };
  using namespace std::string_literals;
  const std::string parts[] = {"null",
                               "~",
                               "1",
                               "auto",
                               "true",
                               "No",
                               "",
                               " ",
                               "\n",
                               "\r",
                               "\t",
                               "\0"s,
                               "\x7F",
                               "\\",
                               "\"",
                               "'",
                               "#",
                               ": ",
                               "-",
                               "[",
                               "{",
                               "&",
                               "!",
                               "%",
                               "x",
                               "\\n",
                               "\xC3\xA9",
                               "\xC2\x85",
                               "\xC2\xA0",
                               "\xE2\x80\xA8",
                               "\xE2\x80\xA9",
                               "\xF0\x9F\x98\x80",
                               "\xEF\xBB\xBF"};
  for (const std::string& part : parts) expect_back(part);
  for (uint64_t i = 0; i < 3000; ++i) {
    RandomStream random(1, "strings", i);
    std::string text;
    for (uint64_t n = random.below(6); n > 0; --n) text += parts[random.below(std::size(parts))];
    expect_back(text);
  }
}

TEST(Yaml, StringsAreQuotedWhereAnotherReaderSeesSomethingElse) {
  for (const char* text :
       {"null", "NULL", "True", "no", "On", "y", "auto", "1", "1e3", ".5", "-x", ""}) {
    EXPECT_EQ(yaml_string(text), '"' + std::string(text) + '"');
  }
  // Line breaks and control characters in YAML 1.1.
  EXPECT_EQ(yaml_string("\xC2\x85\xE2\x80\xA8\xE2\x80\xA9\x01"), R"("\x85\L\P\x01")");
}

}  // namespace
}  // namespace prescript
