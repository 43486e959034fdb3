#include "text/character_map.h"

#include <cstring>

#include "base/error.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr uint32_t kValueBit = uint32_t{1} << 31;

// The parts of a unit, as Darts-clone packs them.
bool has_value(uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
uint32_t label(uint32_t unit) {
  return unit & (kValueBit | 0xff);
}
uint32_t offset(uint32_t unit) {
  return unit >> 10 << ((unit & uint32_t{1} << 9) >> 6);
}

}  // namespace

CharacterMap::CharacterMap(std::string_view table, const std::string& place) : place_(place) {
  uint32_t size = 0;
  if (table.size() >= sizeof size) std::memcpy(&size, table.data(), sizeof size);
  if (size == 0 || size % sizeof(uint32_t) != 0 || size > table.size() - sizeof size) {
    fail("its " + std::to_string(table.size()) + " bytes hold no trie of " + std::to_string(size) +
         " bytes");
  }
  units_.resize(size / sizeof(uint32_t));
  std::memcpy(units_.data(), table.data() + sizeof size, size);
  texts_ = table.substr(sizeof size + size);
  if (const auto invalid = first_invalid_utf8(texts_)) {
    fail("byte " + std::to_string(*invalid) + " of its texts is not valid UTF-8");
  }
}

std::optional<std::string_view> CharacterMap::find(std::string_view text) const {
  uint32_t position = offset(unit(0));
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0) return std::nullopt;  // a value's place, not a child's
    position ^= byte;
    const uint32_t child = unit(position);
    if (label(child) != byte) return std::nullopt;
    position ^= offset(child);
    if (!has_value(child)) continue;
    const uint32_t begin = unit(position) & ~kValueBit;
    // A text may begin behind another's first character, not within a character.
    if (begin >= texts_.size() || (texts_[begin] & 0xc0) == 0x80) {
      fail("it points at byte " + std::to_string(begin) + " of " + std::to_string(texts_.size()) +
           " bytes of texts");
    }
    return std::string_view(texts_).substr(begin, texts_.find('\0', begin) - begin);
  }
  return std::nullopt;
}

uint32_t CharacterMap::unit(uint32_t position) const {
  if (position >= units_.size()) {
    fail("it points at unit " + std::to_string(position) + " of " + std::to_string(units_.size()));
  }
  return units_[position];
}

void CharacterMap::fail(const std::string& message) const {
  throw InputError(
      ExitCode::kModel,
      place_ + ": tokenizer: precompiled charsmap: " + message + "; the file is damaged");
}

}  // namespace prescript
