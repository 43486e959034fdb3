#include "text/tokenizer_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "io/quote.h"
#include "text/piece_decoder.h"
#include "text/utf8.h"

namespace prescript {
namespace {

/// A piece is looked up as every two parts of it, which is quadratic in its length.
constexpr size_t kMaxScoredPieceBytes = 1024;

std::vector<BpeMerge> ranked_merges(const TokenizerDescription& description, const PieceIds& ids) {
  std::vector<BpeMerge> merges;
  merges.reserve(description.merges.size());
  for (const auto& merge : description.merges) {
    const auto id_of = [&](const std::string& piece) {
      const auto found = ids.find(piece);
      if (found == ids.end() || !description.pieces[found->second].in_model) {
        fail_tokenizer(description,
                       "merge " + std::to_string(merges.size()) + " (" + quote(merge.first) + " " +
                           quote(merge.second) + ") needs " + quote(piece) +
                           ", which is not in the vocabulary");
      }
      return found->second;
    };
    merges.push_back({id_of(merge.first),
                      id_of(merge.second),
                      id_of(merge.first + merge.second),
                      static_cast<int32_t>(merges.size())});
  }
  return merges;
}

/// What SentencePiece merges: any two pieces that make a third. Equal scores have equal ranks, so
/// that of these the leftmost pair comes first.
std::vector<BpeMerge> scored_merges(const TokenizerDescription& description, const PieceIds& ids) {
  const auto& pieces = description.pieces;
  std::vector<double> scores;
  for (const VocabularyPiece& piece : pieces) {
    if (piece.in_model) scores.push_back(piece.score);
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());

  const auto id_of = [&](std::string_view text) {
    const auto found = ids.find(text);
    return found != ids.end() && pieces[found->second].in_model ? found->second : kNoToken;
  };
  std::vector<BpeMerge> merges;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (!pieces[id].in_model) continue;
    const std::string_view text = pieces[id].text;
    if (text.size() > kMaxScoredPieceBytes) {
      fail_tokenizer(description,
                     "token " + std::to_string(id) + " has " + std::to_string(text.size()) +
                         " bytes; at most " + std::to_string(kMaxScoredPieceBytes) +
                         " are allowed where scores decide merges");
    }
    const auto rank =
        std::lower_bound(scores.begin(), scores.end(), pieces[id].score, std::greater<>());
    for (size_t middle = 0; middle < text.size();) {
      next_character(text, middle);
      if (middle == text.size()) break;
      const int32_t left = id_of(text.substr(0, middle));
      const int32_t right = left == kNoToken ? kNoToken : id_of(text.substr(middle));
      if (right == kNoToken) continue;
      merges.push_back(
          {left, right, static_cast<int32_t>(id), static_cast<int32_t>(rank - scores.begin())});
    }
  }
  return merges;
}

std::optional<std::array<int32_t, 256>> byte_tokens(const TokenizerDescription& description,
                                                    const PieceIds& ids) {
  if (!description.byte_fallback) return std::nullopt;
  std::array<int32_t, 256> tokens;
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    const std::string piece = byte_piece(static_cast<uint8_t>(byte));
    const auto found = ids.find(piece);
    if (found == ids.end()) {
      fail_tokenizer(description,
                     "it spells characters by their bytes (byte fallback), but the vocabulary has "
                     "no " +
                         quote(piece) + "; all of <0x00> to <0xFF> must be in it");
    }
    tokens[byte] = found->second;
  }
  return tokens;
}

Bpe make_bpe(const TokenizerDescription& description, const PieceIds& ids) {
  BpeVocabulary vocabulary;
  for (size_t id = 0; id < description.pieces.size(); ++id) {
    const VocabularyPiece& piece = description.pieces[id];
    if (!piece.in_model || piece.text.empty()) continue;
    size_t end = 0;
    const char32_t character = next_character(piece.text, end);
    if (end == piece.text.size()) vocabulary.characters.emplace(character, id);
    if (description.ignore_merges) vocabulary.words.emplace(piece.text, id);
  }
  const bool is_scored = description.model == TokenizerModel::kScoredBpe;
  vocabulary.merges = is_scored ? scored_merges(description, ids) : ranked_merges(description, ids);
  vocabulary.bytes = byte_tokens(description, ids);
  vocabulary.unknown = description.unknown_token.value_or(kNoToken);
  vocabulary.fuse_unknown = description.fuse_unknown;
  return Bpe(std::move(vocabulary));
}

Unigram make_unigram(const TokenizerDescription& description, const PieceIds& ids) {
  if (!description.unknown_token) {
    fail_tokenizer(description, "a Unigram model without an unknown token is not supported");
  }
  std::vector<bool> is_special(description.pieces.size());
  for (const AddedToken& token : description.added_tokens) {
    is_special[static_cast<size_t>(token.id)] = token.special;
  }
  UnigramVocabulary vocabulary{
      .pieces = {},
      .lowest_score = std::numeric_limits<double>::infinity(),
      .unknown = *description.unknown_token,
      .bytes = byte_tokens(description, ids),
  };
  for (size_t id = 0; id < description.pieces.size(); ++id) {
    const VocabularyPiece& piece = description.pieces[id];
    if (!piece.in_model) continue;
    vocabulary.lowest_score = std::min(vocabulary.lowest_score, piece.score);
    // `tokenizers` finds special tokens here even where they are to stay text.
    if (is_special[id] || piece.text.empty()) continue;
    vocabulary.pieces.push_back({piece.text, static_cast<int32_t>(id), piece.score});
  }
  return Unigram(vocabulary);
}

std::variant<Bpe, Unigram> make_model(const TokenizerDescription& description,
                                      const PieceIds& ids) {
  for (size_t id = 0; id < description.pieces.size(); ++id) {
    if (!std::isfinite(description.pieces[id].score)) {
      fail_tokenizer(description, "the score of token " + std::to_string(id) + " is not finite");
    }
  }
  if (description.model == TokenizerModel::kUnigram) return make_unigram(description, ids);
  return make_bpe(description, ids);
}

}  // namespace

void fail_tokenizer(const TokenizerDescription& description, const std::string& message) {
  throw InputError(ExitCode::kModel, description.place + ": tokenizer: " + message);
}

WordModel::WordModel(const TokenizerDescription& description, const PieceIds& ids)
    : model_(make_model(description, ids)) {}

void WordModel::encode(std::string_view word,
                       Workspace& workspace,
                       std::vector<WordToken>& tokens) const {
  if (const auto* bpe = std::get_if<Bpe>(&model_)) {
    bpe->encode(word, workspace.bpe, tokens);
  } else {
    std::get<Unigram>(model_).encode(word, workspace.unigram, tokens);
  }
}

}  // namespace prescript
