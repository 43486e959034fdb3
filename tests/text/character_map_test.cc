#include "text/character_map.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/text_steps.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

std::string golden_table() {
  const auto bytes = tokenizer_golden("character_map.json")["table"].get<std::vector<uint8_t>>();
  return {bytes.begin(), bytes.end()};
}

std::string normalized(const std::string& text) {
  AlignedText result(text, 0);
  Regex::Workspace workspace;
  TextSteps({{.kind = TextStep::Kind::kCharacterMap, .content = golden_table()}}, "test")
      .apply(result, workspace);
  EXPECT_EQ(result.origin.size(), result.text.size());
  return result.text;
}

TEST(CharacterMap, NormalizesAsTokenizersDoes) {
  const auto golden = tokenizer_golden("character_map.json");
  EXPECT_GE(golden["texts"].size(), 400u);
  size_t num_changed = 0;
  for (const auto& pair : golden["texts"]) {
    EXPECT_EQ(normalized(pair[0].get<std::string>()), pair[1].get<std::string>()) << pair[0];
    num_changed += pair[0] != pair[1];
  }
  EXPECT_GE(num_changed, 300u);
}

TEST(CharacterMap, FindsTheShortestKey) {
  const CharacterMap map(golden_table(), "test");
  EXPECT_EQ(map.find("²x"), "2");
  EXPECT_EQ(map.find("日本"), "日");
  EXPECT_EQ(map.find("\u200b"), "");
  EXPECT_EQ(map.find("e"), std::nullopt);
  EXPECT_EQ(map.find(""), std::nullopt);
}

TEST(CharacterMap, SaysFromWhereItsBytesCome) {
  AlignedText text("a½b", 5);
  Regex::Workspace workspace;
  TextSteps({{.kind = TextStep::Kind::kCharacterMap, .content = golden_table()}}, "test")
      .apply(text, workspace);
  EXPECT_EQ(text.text, "a1⁄2b");
  EXPECT_EQ(text.origin, (std::vector<uint32_t>{5, 6, 6, 6, 6, 6, 8}));
}

void expect_damaged(const std::string& table, const char* part) {
  expect_input_error(ExitCode::kModel, part, [&] {
    const CharacterMap map(table, "test");
    for (int byte = 1; byte < 256; ++byte) {
      std::string text;
      for (int i = 0; i < 6; ++i) text += static_cast<char>(byte);
      map.find(text);
    }
  });
}

TEST(CharacterMap, DamagedTablesAreRefused) {
  using namespace std::string_literals;
  const std::string table = golden_table();
  expect_damaged("", "its 0 bytes hold no trie of 0 bytes");
  expect_damaged("\x04\0\0"s, "its 3 bytes hold no trie");
  expect_damaged("\0\0\0\0"s, "no trie of 0 bytes");
  expect_damaged("\3\0\0\0abcd"s, "no trie of 3 bytes");
  expect_damaged(table.substr(0, 400), "its 400 bytes hold no trie of");
  expect_damaged(table + "\xff", "of its texts is not valid UTF-8");
  // A trie of one unit, whose child lies outside.
  expect_damaged("\4\0\0\0\0\4\0\0"s, "it points at unit ");
  // Root, then for the byte 1 a leaf whose value lies behind the texts, or within a character.
  const std::string trie = "\x10\0\0\0"s + "\0\0\0\0"s + "\x01\x09\0\0"s + "\0\0\0\0"s;
  expect_damaged(trie + "\x07\0\0\x80"s + "a\0"s, "it points at byte 7 of 2 bytes of texts");
  expect_damaged(trie + "\x01\0\0\x80"s + "é\0"s, "it points at byte 1 of 3 bytes of texts");
}

}  // namespace
}  // namespace prescript
