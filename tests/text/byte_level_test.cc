#include "text/byte_level.h"

#include <set>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(ByteLevel, KnownSymbols) {
  EXPECT_EQ(byte_symbol('a'), "a");
  EXPECT_EQ(byte_symbol(' '), "Ġ");
  EXPECT_EQ(byte_symbol('\n'), "Ċ");
  EXPECT_EQ(byte_symbol('\t'), "ĉ");
  EXPECT_EQ(byte_symbol(0), "Ā");
  EXPECT_EQ(byte_symbol(173), "Ń");
  EXPECT_EQ(byte_symbol(255), "ÿ");
}

TEST(ByteLevel, EveryByteHasItsOwnSymbolAndComesBack) {
  std::set<std::string> symbols;
  std::string piece, bytes;
  for (int byte = 0; byte < 256; ++byte) {
    symbols.insert(byte_symbol(static_cast<uint8_t>(byte)));
    piece += byte_symbol(static_cast<uint8_t>(byte));
    bytes += static_cast<char>(byte);
  }
  EXPECT_EQ(symbols.size(), 256u);
  EXPECT_EQ(bytes_of_piece(piece), bytes);
}

TEST(ByteLevel, CharactersOutsideOfTheAlphabetSpellNothing) {
  EXPECT_EQ(bytes_of_piece("a b"), std::nullopt);  // a space is spelled Ġ
  EXPECT_EQ(bytes_of_piece("日"), std::nullopt);
  EXPECT_EQ(bytes_of_piece("\u0144"), std::nullopt);  // the first behind the alphabet
  EXPECT_EQ(bytes_of_piece(""), "");
}

}  // namespace
}  // namespace prescript
