#pragma once
// Text to token ids and back, equal to the `tokenizers` library of Hugging Face.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prescript {

class GgufFile;
struct TokenizerDescription;

/// A token and the bytes [begin, end) of the encoded text that it stands for.
struct Token {
  int32_t id;
  size_t begin;
  size_t end;

  bool operator==(const Token&) const = default;
};

/// What becomes of the text of a special token (`<|im_end|>`) inside a text.
enum class SpecialTokens {
  kParse,  // it becomes the special token's id: rendered chat templates
  kText,   // it is text like any other: what users write
};

/// A tokenizer of byte-level BPE, of SentencePiece's BPE or of unigrams. Immutable and cheap to
/// copy; every function may be called from several threads at once.
///
/// Added tokens that are not special (runs of spaces in some vocabularies) are part of ordinary
/// text and are matched in both modes, as `tokenizers` does with `encode_special_tokens`.
class Tokenizer {
 public:
  /// Reads a tokenizer.json and, where they lie beside it, tokenizer_config.json and
  /// special_tokens_map.json (names of the BOS and EOS tokens). Throws InputError(kModel) for a
  /// damaged file and for what is not implemented, by its name.
  static Tokenizer from_json_file(const std::string& path);

  /// Reads `tokenizer.ggml.*` of the models gpt2 (byte-level BPE), llama (SentencePiece's BPE) and
  /// gemma4. Of gpt2 `tokenizer.ggml.pre` decides the normaliser and the pre-tokeniser; an unknown
  /// name is refused. Throws InputError(kModel).
  static Tokenizer from_gguf(const GgufFile& file);

  /// Checks the description. Throws InputError(kModel).
  explicit Tokenizer(const TokenizerDescription& description);

  /// The ids of `text`, nothing added (no BOS). The ranges of the tokens tile the text: the first
  /// begins at 0, each begins where the one before it ends, the last ends at text.size(). A byte
  /// without a token in the vocabulary has no id (as in `tokenizers`); it falls into the range of
  /// the token before it, or of the first token. A token may end inside a UTF-8 sequence, and may
  /// be empty: a space that the tokenizer puts before a text. Where a normaliser joins characters,
  /// a token begins where the first of them does.
  /// Throws InputError(kData) naming the first byte that is not UTF-8. Cost O(n log n).
  std::vector<Token> encode(std::string_view text, SpecialTokens mode) const;

  /// The bytes of the tokens, one behind the other, without the space that the tokenizer puts
  /// before a text; not necessarily UTF-8, since a token may hold part of a character.
  /// `skip_special` leaves special tokens out. Ids must be in the vocabulary (ContractError).
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  /// The bytes of one token; `decode` is the concatenation of these, but for a space that it strips
  /// from the first. For streams, see
  /// complete_utf8_length in text/utf8.h.
  const std::string& token_bytes(int32_t id) const;

  /// The token as its vocabulary spells it ("Ġthe" for " the").
  const std::string& piece(int32_t id) const;
  std::optional<int32_t> id_of(std::string_view piece) const;

  /// What people call it: "byte-level BPE", "BPE", "SentencePiece BPE", "unigram".
  const char* kind() const;
  bool is_special(int32_t id) const;
  size_t vocabulary_size() const;

  std::optional<int32_t> bos_token() const;
  std::optional<int32_t> eos_token() const;
  /// Whether the tokenizer, as it is configured, puts bos_token() before a text.
  bool adds_bos() const;

  /// SHA-256 over everything that determines ids: pieces, merges or scores, added tokens,
  /// normaliser, pre-tokeniser and BOS. The same tokenizer read from a GGUF file and from
  /// tokenizer.json has the same hash where the GGUF file's conversion kept all of it.
  const std::string& identity_hash() const;

 private:
  struct State;
  class Encoding;
  std::shared_ptr<const State> state_;
};

}  // namespace prescript
