#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "io/quote.h"
#include "text/added_tokens.h"
#include "text/piece_decoder.h"
#include "text/text_steps.h"
#include "text/tokenizer_description.h"
#include "text/tokenizer_identity.h"
#include "text/tokenizer_model.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr size_t kMaxTextBytes = (1u << 31) - 2;
constexpr size_t kMaxPieces = 1u << 30;

PieceIds index_pieces(const TokenizerDescription& description,
                      const std::vector<std::string>& pieces) {
  if (pieces.empty() || pieces.size() > kMaxPieces) {
    fail_tokenizer(description, "a vocabulary of " + std::to_string(pieces.size()) + " tokens");
  }
  PieceIds ids;
  ids.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (first_invalid_utf8(pieces[id])) {
      fail_tokenizer(description, "token " + std::to_string(id) + " is not valid UTF-8");
    }
    const auto [other, is_new] = ids.try_emplace(pieces[id], static_cast<int32_t>(id));
    if (!is_new) {
      fail_tokenizer(description,
                     "tokens " + std::to_string(other->second) + " and " + std::to_string(id) +
                         " are both " + quote(pieces[id]) + "; every token must be unique");
    }
  }
  return ids;
}

void check_ids(const TokenizerDescription& description) {
  const auto check = [&](int32_t id, const char* what) {
    if (id < 0 || static_cast<size_t>(id) >= description.pieces.size()) {
      fail_tokenizer(description,
                     std::string(what) + " has id " + std::to_string(id) +
                         ", but the vocabulary has " + std::to_string(description.pieces.size()) +
                         " tokens");
    }
  };
  for (const AddedToken& token : description.added_tokens) check(token.id, "an added token");
  if (description.bos_token) check(*description.bos_token, "the BOS token");
  if (description.eos_token) check(*description.eos_token, "the EOS token");
  if (description.unknown_token) check(*description.unknown_token, "the unknown token");
  if (description.adds_bos && !description.bos_token) {
    fail_tokenizer(description, "it is configured to add a BOS token, but names none");
  }
}

/// What each added token is found by.
std::vector<std::string> texts_to_find(const TokenizerDescription& description,
                                       const TextSteps& normalizer) {
  Regex::Workspace workspace;
  std::vector<std::string> texts;
  for (const AddedToken& token : description.added_tokens) {
    AlignedText text(description.pieces[static_cast<size_t>(token.id)].text, 0);
    if (token.normalized) normalizer.apply(text, workspace);
    texts.push_back(std::move(text.text));
  }
  return texts;
}

}  // namespace

const char* kind_of(const TokenizerDescription& description) {
  switch (description.model) {
    case TokenizerModel::kBpe:
      return description.decoder.byte_level ? "byte-level BPE" : "BPE";
    case TokenizerModel::kScoredBpe:
      return "SentencePiece BPE";
    case TokenizerModel::kUnigram:
      return "unigram";
  }
  throw ContractError("unknown tokenizer model");
}

struct Tokenizer::State {
  std::vector<std::string> pieces;
  PieceIds ids;
  std::vector<std::string> bytes;  // of each token
  std::vector<bool> special;
  TextSteps normalizer;
  TextSteps pre_tokenizer;
  AddedTokens added_tokens;
  WordModel model;
  PieceDecoder decoder;
  std::optional<int32_t> bos_token, eos_token;
  bool adds_bos;
  const char* kind;
  std::string identity_hash;

  explicit State(const TokenizerDescription& description);

  size_t index(int32_t id) const {
    PRESCRIPT_CHECK(id >= 0 && static_cast<size_t>(id) < pieces.size(),
                    "token " + std::to_string(id) + " of " + std::to_string(pieces.size()));
    return static_cast<size_t>(id);
  }

 private:
  static std::vector<std::string> texts_of(const TokenizerDescription& description) {
    check_ids(description);
    std::vector<std::string> texts;
    texts.reserve(description.pieces.size());
    for (const VocabularyPiece& piece : description.pieces) texts.push_back(piece.text);
    return texts;
  }
};

Tokenizer::State::State(const TokenizerDescription& description)
    : pieces(texts_of(description)),
      ids(index_pieces(description, pieces)),
      special(pieces.size()),
      normalizer(description.normalizer, description.place),
      pre_tokenizer(description.pre_tokenizer, description.place),
      added_tokens(
          description.added_tokens, texts_to_find(description, normalizer), description.place),
      model(description, ids),
      decoder(description.decoder),
      bos_token(description.bos_token),
      eos_token(description.eos_token),
      adds_bos(description.adds_bos),
      kind(kind_of(description)),
      identity_hash(tokenizer_identity(description)) {
  bytes.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    bytes.push_back(bytes_of_token(pieces[id], !description.pieces[id].in_model, decoder));
  }
  for (const AddedToken& token : description.added_tokens) {
    bytes[token.id] = bytes_of_token(pieces[token.id], true, decoder);
    special[token.id] = special[token.id] || token.special;
  }
}

Tokenizer::Tokenizer(const TokenizerDescription& description)
    : state_(std::make_shared<const State>(description)) {}

/// One call of encode: the way of a text through the steps of `tokenizers`.
class Tokenizer::Encoding {
 public:
  Encoding(const State& state, bool parse_special) : state_(state), parse_special_(parse_special) {}

  std::vector<Token> encode(std::string_view text) {
    for (const TextSegment& segment : state_.added_tokens.split(text, false, parse_special_)) {
      if (segment.id) {
        tokens_.push_back({*segment.id, segment.begin, 0});
      } else {
        encode_plain(
            AlignedText(text.substr(segment.begin, segment.end - segment.begin), segment.begin));
      }
    }
    // What no token stands for falls to the token before it.
    for (size_t i = 0; i < tokens_.size(); ++i) {
      tokens_[i].end = i + 1 < tokens_.size() ? tokens_[i + 1].begin : text.size();
    }
    if (!tokens_.empty()) tokens_.front().begin = 0;
    return std::move(tokens_);
  }

 private:
  void encode_plain(AlignedText text) {
    state_.normalizer.apply(text, regex_);
    for (const TextSegment& segment : state_.added_tokens.split(text.text, true, parse_special_)) {
      if (segment.id) {
        tokens_.push_back({*segment.id, text.origin[segment.begin], 0});
        continue;
      }
      AlignedText part;
      part.put(text, {segment.begin, segment.end});
      part.end_word(0);
      state_.pre_tokenizer.apply(part, regex_);
      encode_words(part);
    }
  }

  void encode_words(const AlignedText& text) {
    for (const TextRange& word : text.words) {
      word_tokens_.clear();
      state_.model.encode(text.word(word), model_, word_tokens_);
      for (const WordToken& token : word_tokens_) {
        tokens_.push_back({token.id, text.origin[word.begin + token.begin], 0});
      }
    }
  }

  const State& state_;
  bool parse_special_;
  Regex::Workspace regex_;
  WordModel::Workspace model_;
  std::vector<WordToken> word_tokens_;
  std::vector<Token> tokens_;
};

std::vector<Token> Tokenizer::encode(std::string_view text, SpecialTokens mode) const {
  if (text.size() > kMaxTextBytes) {
    throw InputError(ExitCode::kData,
                     "text: " + std::to_string(text.size()) + " bytes; at most " +
                         std::to_string(kMaxTextBytes) + " can be tokenised at once");
  }
  if (const auto invalid = first_invalid_utf8(text)) {
    throw InputError(ExitCode::kData,
                     "text: byte " + std::to_string(*invalid) +
                         " is not valid UTF-8; convert the text to UTF-8");
  }
  return Encoding(*state_, mode == SpecialTokens::kParse).encode(text);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  const PieceDecoder& decoder = state_->decoder;
  std::string text;
  bool is_first = true;
  for (int32_t id : ids) {
    if (skip_special && is_special(id)) continue;
    if (is_first && !decoder.dropped_first.empty()) {
      text = replace_all(piece(id), decoder.dropped_first, "");
    } else {
      text += token_bytes(id);
    }
    is_first = false;
  }
  const size_t spaces = std::min(text.find_first_not_of(' '), text.size());
  return text.erase(0, std::min(spaces, decoder.strip_spaces));
}

const std::string& Tokenizer::token_bytes(int32_t id) const {
  return state_->bytes[state_->index(id)];
}

const std::string& Tokenizer::piece(int32_t id) const {
  return state_->pieces[state_->index(id)];
}

std::optional<int32_t> Tokenizer::id_of(std::string_view piece) const {
  const auto found = state_->ids.find(piece);
  if (found == state_->ids.end()) return std::nullopt;
  return found->second;
}

bool Tokenizer::is_special(int32_t id) const {
  return state_->special[state_->index(id)];
}

size_t Tokenizer::vocabulary_size() const {
  return state_->pieces.size();
}

std::optional<int32_t> Tokenizer::bos_token() const {
  return state_->bos_token;
}

std::optional<int32_t> Tokenizer::eos_token() const {
  return state_->eos_token;
}

const char* Tokenizer::kind() const {
  return state_->kind;
}

bool Tokenizer::adds_bos() const {
  return state_->adds_bos;
}

const std::string& Tokenizer::identity_hash() const {
  return state_->identity_hash;
}

}  // namespace prescript
