#include "io/text_place.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

TEST(TextPlace, PositionsCountLinesAndBytesFromOne) {
  const TextPlace text("ab\n\n\xC3\xA9x", "a.txt", ExitCode::kData);
  const auto position = [&](size_t offset) {
    const auto [line, column] = text.position(offset);
    return std::pair(line, column);
  };
  EXPECT_EQ(position(0), std::pair(1, 1));
  EXPECT_EQ(position(2), std::pair(1, 3));  // the line feed belongs to its line
  EXPECT_EQ(position(3), std::pair(2, 1));
  EXPECT_EQ(position(4), std::pair(3, 1));
  EXPECT_EQ(position(6), std::pair(3, 3));
  EXPECT_EQ(position(7), std::pair(3, 4));  // the end
}

TEST(TextPlace, FailuresNameThePlace) {
  const TextPlace text("a\nbc", "a.txt", ExitCode::kModel);
  expect_input_error(ExitCode::kModel, "a.txt:2:2: odd", [&] { text.fail(3, "odd"); });
}

bool is_accepted(const std::string& text) {
  try {
    TextPlace(text, "a.txt", ExitCode::kUsage).require_utf8_text();
    return true;
  } catch (const InputError&) {
    return false;
  }
}

TEST(TextPlace, ControlCharactersAreRefused) {
  for (int byte = 0; byte < 0x80; ++byte) {
    const bool is_text = byte >= 0x20 && byte != 0x7F;
    const bool is_space = byte == '\t' || byte == '\n' || byte == '\r';
    EXPECT_EQ(is_accepted(std::string(1, static_cast<char>(byte))), is_text || is_space) << byte;
  }
  expect_input_error(ExitCode::kUsage, "a.txt:2:3: a control character (byte 4)", [] {
    TextPlace("ab\ncd\x04", "a.txt", ExitCode::kUsage).require_utf8_text();
  });
}

/// Whether the JSON library takes these bytes, all above 0x7F, for UTF-8.
bool is_utf8_in_json(const std::string& bytes) {
  return nlohmann::json::accept('"' + bytes + '"');
}

TEST(TextPlace, AcceptsExactlyUtf8) {
  int num_accepted = 0;
  const auto expect_same = [&](const std::string& bytes) {
    ASSERT_EQ(is_accepted(bytes), is_utf8_in_json(bytes)) << testing::PrintToString(bytes);
    num_accepted += is_accepted(bytes) ? 1 : 0;
  };
  const auto byte = [](uint64_t value) { return static_cast<char>(value); };
  for (int first = 0x80; first < 0x100; ++first) {
    expect_same({byte(first)});
    for (int second = 0x80; second < 0x100; ++second) {
      expect_same({byte(first), byte(second)});
      if (first < 0xE0) continue;
      for (const int third : {0x80, 0x9F, 0xBF, 0xC0}) {
        expect_same({byte(first), byte(second), byte(third)});
        for (const int fourth : {0x80, 0xBF, 0xE2}) {
          expect_same({byte(first), byte(second), byte(third), byte(fourth)});
        }
      }
    }
  }
  EXPECT_GT(num_accepted, 1000);
}

}  // namespace
}  // namespace prescript
