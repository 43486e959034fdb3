#include "text/unigram.h"

#include <algorithm>

#include "text/utf8.h"

namespace prescript {
namespace {

constexpr double kUnknownPenalty = 10.0;  // as in SentencePiece

}  // namespace

Unigram::Unigram(const UnigramVocabulary& vocabulary)
    : unknown_score_(vocabulary.lowest_score - kUnknownPenalty),
      unknown_(vocabulary.unknown),
      bytes_(vocabulary.bytes) {
  for (const UnigramPiece& piece : vocabulary.pieces) {
    trie_.insert(piece.text, static_cast<int32_t>(ids_.size()));
    scores_.push_back(piece.score);
    ids_.push_back(piece.id);
  }
}

void Unigram::find_best(std::string_view word, Workspace& workspace) const {
  auto& best = workspace.best_;
  best.assign(word.size() + 1, {0.0, 0, kNoToken});
  const auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    const double sum = best[begin].score + score;
    if (best[end].id == kNoToken || sum > best[end].score) best[end] = {sum, begin, id};
  };
  for (size_t begin = 0; begin < word.size();) {
    size_t character_end = begin;
    next_character(word, character_end);
    bool has_character = false;
    trie_.find_at(word, begin, [&](size_t end, int32_t piece) {
      offer(begin, end, ids_[piece], scores_[piece]);
      has_character = has_character || end == character_end;
    });
    if (!has_character) offer(begin, character_end, unknown_, unknown_score_);
    begin = character_end;
  }
}

void Unigram::append_unknown(std::string_view word,
                             size_t begin,
                             size_t end,
                             std::vector<WordToken>& tokens) const {
  int32_t id = unknown_;
  bool is_piece = false;  // a run of unknown characters that is a piece all the same
  trie_.find_at(word.substr(0, end), begin, [&](size_t piece_end, int32_t piece) {
    if (piece_end == end) {
      id = ids_[piece];
      is_piece = true;
    }
  });
  if (is_piece || !bytes_) {
    tokens.push_back({id, begin});
    return;
  }
  for (size_t i = begin; i < end; ++i) {
    tokens.push_back({(*bytes_)[static_cast<unsigned char>(word[i])], i});
  }
}

void Unigram::encode(std::string_view word,
                     Workspace& workspace,
                     std::vector<WordToken>& tokens) const {
  find_best(word, workspace);
  const auto& best = workspace.best_;
  std::vector<WordToken> pieces;
  for (size_t end = word.size(); end > 0; end = best[end].begin) {
    pieces.push_back({best[end].id, best[end].begin});
  }
  std::reverse(pieces.begin(), pieces.end());
  for (size_t i = 0; i < pieces.size();) {
    if (pieces[i].id != unknown_) {
      tokens.push_back(pieces[i++]);
      continue;
    }
    const size_t begin = pieces[i].begin;
    while (i < pieces.size() && pieces[i].id == unknown_) ++i;
    append_unknown(word, begin, i < pieces.size() ? pieces[i].begin : word.size(), tokens);
  }
}

}  // namespace prescript
