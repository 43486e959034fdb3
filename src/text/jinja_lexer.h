#pragma once
// The tokens of a chat template, with trim_blocks and lstrip_blocks on.

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja_value.h"

namespace prescript::jinja {

enum class TokenKind {
  kData,  // text outside of tags, white space already controlled
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kText,
  kNumber,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;  // data, name, operator, or a string literal without quotes and escapes
  size_t line;
  Value number{};  // of kNumber
};

/// All tokens, kEnd last. `source` is valid UTF-8. Throws InputError(kModel) "place:line: ...".
std::vector<Token> tokenize(std::string_view source, const std::string& place);

}  // namespace prescript::jinja
