#pragma once
// The bytes that a piece of the vocabulary stands for.

#include <string>
#include <string_view>

#include "io/json.h"
#include "text/tokenizer_description.h"

namespace prescript {

/// `is_added`: byte-level decoders leave added tokens as they are spelled.
std::string bytes_of_token(std::string_view piece, bool is_added, const PieceDecoder& decoder);

/// `text` with `to` in the place of every `from`, which is not empty.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// The piece of `byte` where bytes spell what has no token: "<0x0A>".
std::string byte_piece(uint8_t byte);

/// `decoder` of tokenizer.json: ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip and
/// sequences of these, in an order that decodes every token by itself. Others throw
/// InputError(kModel) with their name.
PieceDecoder piece_decoder_from_json(const JsonCursor& json);

}  // namespace prescript
