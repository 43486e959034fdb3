#include "text/byte_level.h"

#include <array>

#include "text/utf8.h"

namespace prescript {
namespace {

constexpr size_t kNumCharacters = 0x144;  // the alphabet lies below U+0144

struct Alphabet {
  std::array<std::string, 256> symbol_of_byte;
  std::array<int, kNumCharacters> byte_of_character;

  Alphabet() {
    byte_of_character.fill(-1);
    char32_t next_free = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
      const char32_t character = printable ? static_cast<char32_t>(byte) : next_free++;
      append_utf8(character, symbol_of_byte[byte]);
      byte_of_character[character] = byte;
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::string& byte_symbol(uint8_t byte) {
  return alphabet().symbol_of_byte[byte];
}

std::optional<std::string> bytes_of_piece(std::string_view piece) {
  std::string bytes;
  for (size_t position = 0; position < piece.size();) {
    const char32_t character = next_character(piece, position);
    const int byte = character < kNumCharacters ? alphabet().byte_of_character[character] : -1;
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace prescript
