#include "text/tokenizer.h"

#include <array>
#include <unordered_map>
#include <utility>

#include "io/quote.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_description.h"
#include "text/tokenizer_identity.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr size_t kMaxTextBytes = (1u << 31) - 2;
constexpr size_t kMaxPieces = 1u << 30;

using PieceIds = std::unordered_map<std::string_view, int32_t>;

[[noreturn]] void fail(const TokenizerDescription& description, const std::string& message) {
  throw InputError(ExitCode::kModel, description.place + ": tokenizer: " + message);
}

PieceIds index_pieces(const TokenizerDescription& description,
                      const std::vector<std::string>& pieces) {
  if (pieces.empty() || pieces.size() > kMaxPieces) {
    fail(description, "a vocabulary of " + std::to_string(pieces.size()) + " tokens");
  }
  PieceIds ids;
  ids.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (first_invalid_utf8(pieces[id])) {
      fail(description, "token " + std::to_string(id) + " is not valid UTF-8");
    }
    const auto [other, is_new] = ids.try_emplace(pieces[id], static_cast<int32_t>(id));
    if (!is_new) {
      fail(description,
           "tokens " + std::to_string(other->second) + " and " + std::to_string(id) + " are both " +
               quote(pieces[id]) + "; every token must be unique");
    }
  }
  return ids;
}

void check_ids(const TokenizerDescription& description) {
  const auto check = [&](int32_t id, const char* what) {
    if (id < 0 || static_cast<size_t>(id) >= description.pieces.size()) {
      fail(description,
           std::string(what) + " has id " + std::to_string(id) + ", but the vocabulary has " +
               std::to_string(description.pieces.size()) + " tokens");
    }
  };
  for (const AddedToken& token : description.added_tokens) check(token.id, "an added token");
  if (description.bos_token) check(*description.bos_token, "the BOS token");
  if (description.eos_token) check(*description.eos_token, "the EOS token");
  if (description.adds_bos && !description.bos_token) {
    fail(description, "it is configured to add a BOS token, but names none");
  }
}

std::vector<BpeMerge> resolve_merges(const TokenizerDescription& description, const PieceIds& ids) {
  std::vector<BpeMerge> merges;
  merges.reserve(description.merges.size());
  for (const auto& [left, right] : description.merges) {
    const auto id_of = [&](const std::string& piece) {
      const auto found = ids.find(piece);
      if (found == ids.end() || !description.pieces[found->second].in_model) {
        fail(description,
             "merge " + std::to_string(merges.size()) + " (" + quote(left) + " " + quote(right) +
                 ") needs " + quote(piece) + ", which is not in the vocabulary");
      }
      return found->second;
    };
    merges.push_back({id_of(left), id_of(right), id_of(left + right)});
  }
  return merges;
}

}  // namespace

struct Tokenizer::State {
  std::vector<std::string> pieces;
  PieceIds ids;
  std::vector<std::string> bytes;  // of each token
  std::vector<bool> special;
  AddedTokens added_tokens;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  std::optional<int32_t> bos_token, eos_token;
  bool adds_bos;
  std::string identity_hash;

  explicit State(const TokenizerDescription& description);

  size_t index(int32_t id) const {
    PRESCRIPT_CHECK(id >= 0 && static_cast<size_t>(id) < pieces.size(),
                    "token " + std::to_string(id) + " of " + std::to_string(pieces.size()));
    return static_cast<size_t>(id);
  }

  void encode_plain(std::string_view text,
                    size_t begin,
                    Regex::Workspace& regex_workspace,
                    Bpe::Workspace& bpe_workspace,
                    std::vector<Token>& tokens) const;

 private:
  static std::vector<std::string> texts_of(const TokenizerDescription& description) {
    check_ids(description);
    std::vector<std::string> texts;
    texts.reserve(description.pieces.size());
    for (const VocabularyPiece& piece : description.pieces) texts.push_back(piece.text);
    return texts;
  }
  static Bpe make_bpe(const TokenizerDescription& description, const PieceIds& ids);
};

Tokenizer::State::State(const TokenizerDescription& description)
    : pieces(texts_of(description)),
      ids(index_pieces(description, pieces)),
      special(pieces.size()),
      added_tokens(description.added_tokens, description.pieces, description.place),
      pre_tokenizer(description.pre_tokenizer, description.place),
      bpe(make_bpe(description, ids)),
      bos_token(description.bos_token),
      eos_token(description.eos_token),
      adds_bos(description.adds_bos),
      identity_hash(tokenizer_identity(description)) {
  bytes.reserve(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    const auto spelled =
        description.pieces[id].in_model ? bytes_of_piece(pieces[id]) : std::nullopt;
    bytes.push_back(spelled.value_or(pieces[id]));
  }
  for (const AddedToken& token : description.added_tokens) {
    bytes[token.id] = pieces[token.id];
    special[token.id] = special[token.id] || token.special;
  }
}

Bpe Tokenizer::State::make_bpe(const TokenizerDescription& description, const PieceIds& ids) {
  std::array<int32_t, 256> byte_ids;
  for (size_t byte = 0; byte < byte_ids.size(); ++byte) {
    const auto found = ids.find(byte_symbol(static_cast<uint8_t>(byte)));
    const bool usable = found != ids.end() && description.pieces[found->second].in_model;
    byte_ids[byte] = usable ? found->second : Bpe::kNoToken;
  }
  std::unordered_map<std::string, int32_t> words;
  if (description.ignore_merges) {
    for (size_t id = 0; id < description.pieces.size(); ++id) {
      const VocabularyPiece& piece = description.pieces[id];
      if (!piece.in_model) continue;
      if (auto word = bytes_of_piece(piece.text)) {
        words.emplace(std::move(*word), static_cast<int32_t>(id));
      }
    }
  }
  return Bpe(byte_ids, resolve_merges(description, ids), std::move(words));
}

Tokenizer::Tokenizer(const TokenizerDescription& description)
    : state_(std::make_shared<const State>(description)) {}

void Tokenizer::State::encode_plain(std::string_view text,
                                    size_t begin,
                                    Regex::Workspace& regex_workspace,
                                    Bpe::Workspace& bpe_workspace,
                                    std::vector<Token>& tokens) const {
  std::vector<Bpe::Symbol> symbols;
  std::string with_space;
  for (const Word& word : pre_tokenizer.split(text, regex_workspace)) {
    std::string_view spelled = text.substr(word.begin, word.end - word.begin);
    if (word.added_space) {
      with_space.assign(" ").append(spelled);
      spelled = with_space;
    }
    symbols.clear();
    bpe.encode(spelled, bpe_workspace, symbols);
    for (const Bpe::Symbol& symbol : symbols) {
      const size_t added = word.added_space && symbol.begin > 0 ? 1 : 0;
      tokens.push_back({symbol.id, begin + word.begin + symbol.begin - added, 0});
    }
  }
}

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
  std::vector<Token> tokens;
  Regex::Workspace regex_workspace;
  Bpe::Workspace bpe_workspace;
  const bool parse_special = mode == SpecialTokens::kParse;
  for (const TextSegment& segment : state_->added_tokens.split(text, parse_special)) {
    if (segment.id) {
      tokens.push_back({*segment.id, segment.begin, 0});
    } else {
      state_->encode_plain(text.substr(segment.begin, segment.end - segment.begin),
                           segment.begin,
                           regex_workspace,
                           bpe_workspace,
                           tokens);
    }
  }
  // Bytes that no token stands for fall to the token before them.
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i].end = i + 1 < tokens.size() ? tokens[i + 1].begin : text.size();
  }
  if (!tokens.empty()) tokens.front().begin = 0;
  return tokens;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  for (int32_t id : ids) {
    if (!skip_special || !is_special(id)) text += token_bytes(id);
  }
  return text;
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

bool Tokenizer::adds_bos() const {
  return state_->adds_bos;
}

const std::string& Tokenizer::identity_hash() const {
  return state_->identity_hash;
}

}  // namespace prescript
