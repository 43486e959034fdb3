#include "emulator/ptx_tokens.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace prescript::emulator {
namespace {

bool is_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%' ||
         c == '.';
}

}  // namespace

std::vector<PtxToken> tokens_of_ptx(const std::string& text) {
  std::vector<PtxToken> tokens;
  int line = 1;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++i;
    } else if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (is_of_word(c)) {
      const size_t begin = i;
      // "::" is part of a name: .shared::cta.
      while (i < text.size() && (is_of_word(text[i]) || text.compare(i, 2, "::") == 0)) {
        i += text[i] == ':' ? 2 : 1;
      }
      tokens.push_back({text.substr(begin, i - begin), line});
    } else if (c == '"') {
      const size_t end = text.find('"', i + 1);
      tokens.push_back({text.substr(i, end + 1 - i), line});
      i = end + 1;
    } else {
      tokens.push_back({std::string(1, c), line});
      ++i;
    }
  }
  tokens.push_back({"", line});
  return tokens;
}

const std::string& PtxReader::peek(size_t ahead) const {
  return tokens_[std::min(position_ + ahead, tokens_.size() - 1)].text;
}

std::string PtxReader::next() {
  if (peek().empty()) refuse("the text ends early");
  return tokens_[position_++].text;
}

bool PtxReader::accept(const std::string& text) {
  if (peek() != text) return false;
  ++position_;
  return true;
}

void PtxReader::expect(const std::string& text) {
  if (!accept(text)) refuse("\"" + peek() + "\" where \"" + text + "\" should be");
}

int PtxReader::line() const {
  return tokens_[position_ == 0 ? 0 : position_ - 1].line;
}

int64_t PtxReader::number() {
  const bool is_negative = accept("-");
  std::string digits = next();
  if (!digits.empty() && digits.back() == 'U') digits.pop_back();
  size_t read = 0;
  uint64_t value = 0;
  try {
    value = std::stoull(digits, &read, 0);
  } catch (const std::logic_error&) {
    read = 0;
  }
  if (read == 0 || read != digits.size()) refuse("\"" + digits + "\" is not a number");
  return static_cast<int64_t>(is_negative ? -value : value);
}

void PtxReader::refuse(const std::string& why) const {
  throw std::runtime_error(path_ + ":" + std::to_string(line()) + ": " + why);
}

}  // namespace prescript::emulator
