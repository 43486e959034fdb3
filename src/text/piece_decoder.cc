#include "text/piece_decoder.h"

#include <cstdio>

#include "io/quote.h"
#include "text/byte_level.h"
#include "text/text_steps_json.h"

namespace prescript {
namespace {

/// The byte of a piece "<0x0A>", or -1.
int byte_of_piece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  int byte = 0;
  for (char c : piece.substr(3, 2)) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && !(c >= 'A' && c <= 'F') && !(c >= 'a' && c <= 'f')) return -1;
    byte = byte * 16 + (is_digit ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return byte;
}

void append_strip(const JsonCursor& json, bool is_fused, PieceDecoder& decoder) {
  const int64_t start = json.at("start").integer(0, 64);
  const bool is_supported =
      is_fused && json.at("content").string() == " " && json.at("stop").integer() == 0;
  if (!is_supported) {
    json.fail("decoder Strip is supported behind Fuse, for spaces at the beginning of a text");
  }
  decoder.strip_spaces = static_cast<size_t>(start);
}

void append(const JsonCursor& json, bool& is_fused, PieceDecoder& decoder) {
  const JsonCursor type = json.at("type");
  const std::string& name = type.string();
  if (name == "Sequence") {
    const JsonCursor steps = json.at("decoders");
    for (size_t i = 0; i < steps.size(); ++i) append(steps.item(i), is_fused, decoder);
  } else if (name == "Strip") {
    append_strip(json, is_fused, decoder);
  } else if (is_fused || (decoder.byte_level && name != "Fuse")) {
    json.fail("decoder " + quote(name) + " behind Fuse or ByteLevel is not supported");
  } else if (name == "Fuse") {
    is_fused = true;
  } else if (name == "ByteLevel") {
    decoder.byte_level = true;
  } else if (name == "ByteFallback") {
    decoder.byte_fallback = true;
  } else if (name == "Replace") {
    if (decoder.byte_fallback) json.fail("decoder Replace behind ByteFallback is not supported");
    const std::string from = json.at("pattern").at("String").string();
    if (from.empty()) json.at("pattern").fail("an empty pattern is not supported");
    decoder.replacements.emplace_back(from, json.at("content").string());
  } else if (name == "Metaspace") {
    const std::string replacement = json.at("replacement").string();
    if (replacement.empty()) json.at("replacement").fail("expected a character");
    decoder.replacements.emplace_back(replacement, " ");
    if (prepend_scheme_of(json) != PrependScheme::kNever) decoder.dropped_first = replacement;
  } else {
    type.fail("decoder " + quote(name) +
              " is not supported; ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip and "
              "Sequence are");
  }
}

}  // namespace

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string replaced;
  for (size_t begin = 0;;) {
    const size_t found = text.find(from, begin);
    replaced += text.substr(begin, found - begin);
    if (found == std::string_view::npos) return replaced;
    replaced += to;
    begin = found + from.size();
  }
}

std::string bytes_of_token(std::string_view piece, bool is_added, const PieceDecoder& decoder) {
  if (decoder.byte_level) {
    const auto bytes = is_added ? std::nullopt : bytes_of_piece(piece);
    return bytes.value_or(std::string(piece));
  }
  const int byte = decoder.byte_fallback ? byte_of_piece(piece) : -1;
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  std::string text(piece);
  for (const auto& [from, to] : decoder.replacements) text = replace_all(text, from, to);
  return text;
}

std::string byte_piece(uint8_t byte) {
  char piece[8];
  std::snprintf(piece, sizeof piece, "<0x%02X>", byte);
  return piece;
}

PieceDecoder piece_decoder_from_json(const JsonCursor& json) {
  PieceDecoder decoder;
  bool is_fused = false;
  append(json, is_fused, decoder);
  return decoder;
}

}  // namespace prescript
