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

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens,
                         const std::vector<std::string>& texts,
                         const std::string& place)
    : tokens_(tokens) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (texts[i].empty() || texts[i].size() > kMaxBytes) {
      throw InputError(ExitCode::kModel,
                       place + ": added token " + std::to_string(tokens_[i].id) + " has " +
                           std::to_string(texts[i].size()) + " bytes; 1 to " +
                           std::to_string(kMaxBytes) + " are allowed");
    }
    (tokens_[i].normalized ? normalized_ : plain_).insert(texts[i], static_cast<int32_t>(i));
  }
  refuse_overlaps(texts, place);
}

void AddedTokens::refuse_overlaps(const std::vector<std::string>& texts,
                                  const std::string& place) const {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    size_t position = 0;
    if (!is_white_space(next_character(texts[i], position))) continue;
    for (const AddedToken& other : tokens_) {
      if (!other.rstrip || other.normalized != tokens_[i].normalized) continue;
      throw InputError(ExitCode::kModel,
                       place + ": added token " + std::to_string(tokens_[i].id) +
                           " begins with the white space that token " + std::to_string(other.id) +
                           " takes (rstrip); such tokens overlap and are not supported");
    }
  }
}

std::vector<TextSegment> AddedTokens::split(std::string_view text,
                                            bool normalized,
                                            bool parse_special) const {
  const ByteTrie& trie = normalized ? normalized_ : plain_;
  std::vector<TextSegment> segments;
  size_t done = 0;
  for (size_t position = 0; position < text.size();) {
    int32_t longest = kNoToken;
    size_t begin = position;
    trie.find_at(text, begin, [&](size_t end, int32_t index) {
      longest = index;
      position = end;
    });
    if (longest == kNoToken) {
      ++position;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(longest)];
    if (token.special && !parse_special) continue;
    if (token.lstrip) begin = white_space_begin(text, begin, done);
    if (token.rstrip) position = white_space_end(text, position, text.size());
    if (done < begin) segments.push_back({done, begin, std::nullopt});
    segments.push_back({begin, position, token.id});
    done = position;
  }
  if (done < text.size()) segments.push_back({done, text.size(), std::nullopt});
  return segments;
}

}  // namespace prescript
