#include "text/added_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "text/utf8.h"

namespace prescript {
namespace {

/// White_Space of Unicode.
bool is_white_space(char32_t c) {
  return (c >= 0x9 && c <= 0xd) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

size_t white_space_begin(std::string_view text, size_t end, size_t lowest) {
  while (end > lowest) {
    size_t begin = end - 1;
    while (begin > lowest && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) --begin;
    size_t position = begin;
    if (!is_white_space(next_character(text, position))) break;
    end = begin;
  }
  return end;
}

size_t white_space_end(std::string_view text, size_t begin, size_t highest) {
  while (begin < highest) {
    size_t position = begin;
    if (!is_white_space(next_character(text, position))) break;
    begin = position;
  }
  return begin;
}

uint64_t edge(uint32_t node, char byte) {
  return static_cast<uint64_t>(node) << 8 | static_cast<unsigned char>(byte);
}

}  // namespace

void AddedTokens::Trie::insert(std::string_view text, const AddedToken* token) {
  begins[static_cast<unsigned char>(text[0])] = true;
  uint32_t node = 0;
  for (char byte : text) {
    const auto [child, is_new] =
        children.try_emplace(edge(node, byte), static_cast<uint32_t>(token_of_node.size()));
    if (is_new) token_of_node.push_back(nullptr);
    node = child->second;
  }
  token_of_node[node] = token;
}

std::optional<AddedTokens::Trie::Match> AddedTokens::Trie::longest_at(std::string_view text,
                                                                      size_t begin) const {
  std::optional<Match> longest;
  uint32_t node = 0;
  for (size_t end = begin; end < text.size();) {
    const auto child = children.find(edge(node, text[end]));
    if (child == children.end()) break;
    node = child->second;
    ++end;
    if (token_of_node[node] != nullptr) longest = Match{end, token_of_node[node]};
  }
  return longest;
}

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens,
                         const std::vector<VocabularyPiece>& pieces,
                         const std::string& place)
    : tokens_(tokens) {
  for (const AddedToken& token : tokens_) {
    const std::string& text = pieces[static_cast<size_t>(token.id)].text;
    if (text.empty() || text.size() > kMaxBytes) {
      throw InputError(ExitCode::kModel,
                       place + ": added token " + std::to_string(token.id) + " has " +
                           std::to_string(text.size()) + " bytes; 1 to " +
                           std::to_string(kMaxBytes) + " are allowed");
    }
    (token.normalized ? normalized_pass_ : first_pass_).insert(text, &token);
  }
  refuse_overlaps(pieces, place);
}

void AddedTokens::refuse_overlaps(const std::vector<VocabularyPiece>& pieces,
                                  const std::string& place) const {
  for (const AddedToken& token : tokens_) {
    size_t position = 0;
    if (!is_white_space(next_character(pieces[static_cast<size_t>(token.id)].text, position))) {
      continue;
    }
    for (const AddedToken& other : tokens_) {
      if (!other.rstrip || other.normalized != token.normalized) continue;
      throw InputError(ExitCode::kModel,
                       place + ": added token " + std::to_string(token.id) +
                           " begins with the white space that token " + std::to_string(other.id) +
                           " takes (rstrip); such tokens overlap and are not supported");
    }
  }
}

std::vector<TextSegment> AddedTokens::split(std::string_view text, bool parse_special) const {
  std::vector<TextSegment> first;
  split_plain(text, {0, text.size(), std::nullopt}, first_pass_, parse_special, first);
  std::vector<TextSegment> segments;
  for (const TextSegment& segment : first) {
    if (segment.id) {
      segments.push_back(segment);
    } else {
      split_plain(text, segment, normalized_pass_, parse_special, segments);
    }
  }
  return segments;
}

void AddedTokens::split_plain(std::string_view text,
                              TextSegment plain,
                              const Trie& trie,
                              bool parse_special,
                              std::vector<TextSegment>& segments) {
  const std::string_view inside = text.substr(0, plain.end);
  size_t done = plain.begin;
  for (size_t position = plain.begin; position < plain.end;) {
    std::optional<Trie::Match> match;
    if (trie.begins[static_cast<unsigned char>(inside[position])]) {
      match = trie.longest_at(inside, position);
    }
    if (!match) {
      ++position;
      continue;
    }
    size_t begin = position;
    position = match->end;
    const AddedToken& token = *match->token;
    if (token.special && !parse_special) continue;
    if (token.lstrip) begin = white_space_begin(inside, begin, done);
    if (token.rstrip) position = white_space_end(inside, position, plain.end);
    if (done < begin) segments.push_back({done, begin, std::nullopt});
    segments.push_back({begin, position, token.id});
    done = position;
  }
  if (done < plain.end) segments.push_back({done, plain.end, std::nullopt});
}

}  // namespace prescript
