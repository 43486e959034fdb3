#include "text/piece_decoder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/expect_error.h"

namespace prescript {
namespace {

PieceDecoder decoder(const std::string& steps) {
  const auto json = nlohmann::json::parse(R"({"type": "Sequence", "decoders": [)" + steps + "]}");
  return piece_decoder_from_json(JsonCursor(json, "test.json", ExitCode::kModel));
}

constexpr const char kReplace[] =
    R"({"type": "Replace", "pattern": {"String": "▁"}, "content": " "})";
constexpr const char kBytes[] = R"({"type": "ByteFallback"})";
constexpr const char kFuse[] = R"({"type": "Fuse"})";
constexpr const char kStrip[] = R"({"type": "Strip", "content": " ", "start": 1, "stop": 0})";

TEST(PieceDecoder, SpellsSpacesAndBytes) {
  const PieceDecoder llama =
      decoder(kReplace + std::string(",") + kBytes + "," + kFuse + "," + kStrip);
  EXPECT_EQ(bytes_of_token("▁▁the", false, llama), "  the");
  EXPECT_EQ(bytes_of_token("<0x0A>", false, llama), "\n");
  EXPECT_EQ(bytes_of_token("<0xfF>", false, llama), "\xff");
  EXPECT_EQ(bytes_of_token("<0x0G>", false, llama), "<0x0G>");
  EXPECT_EQ(bytes_of_token("<0x0A>>", false, llama), "<0x0A>>");
  EXPECT_EQ(llama.strip_spaces, 1u);
}

TEST(PieceDecoder, AByteHasAPiece) {
  EXPECT_EQ(byte_piece(0x0a), "<0x0A>");
  EXPECT_EQ(byte_piece(0xff), "<0xFF>");
}

TEST(PieceDecoder, ByteLevelLeavesAddedTokensAsTheyAre) {
  const PieceDecoder byte_level = decoder(R"({"type": "ByteLevel"})");
  EXPECT_EQ(bytes_of_token("Ġé", false, byte_level), " \xe9");
  EXPECT_EQ(bytes_of_token("Ġé", true, byte_level), "Ġé");
}

TEST(PieceDecoder, MetaspaceLeavesSpacesOutOfTheFirstPiece) {
  EXPECT_EQ(decoder(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"})")
                .dropped_first,
            "▁");
  EXPECT_EQ(decoder(R"({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"})")
                .dropped_first,
            "");
}

TEST(PieceDecoder, WhatIsNotSupportedIsRefusedByName) {
  const auto refused = [](const std::string& steps, const char* part) {
    expect_input_error(ExitCode::kModel, part, [&] { decoder(steps); });
  };
  refused(R"({"type": "WordPiece"})", "decoder \"WordPiece\" is not supported");
  refused(kStrip, "decoder Strip is supported behind Fuse");
  refused(std::string(kFuse) + R"(, {"type": "Strip", "content": " ", "start": 0, "stop": 1})",
          "decoder Strip is supported behind Fuse, for spaces at the beginning");
  refused(kFuse + std::string(",") + kBytes, "decoder \"ByteFallback\" behind Fuse");
  refused(kBytes + std::string(",") + kReplace, "decoder Replace behind ByteFallback");
  refused(R"({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""})", "String");
  refused(R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})", "empty pattern");
}

}  // namespace
}  // namespace prescript
