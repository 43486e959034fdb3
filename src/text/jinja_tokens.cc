#include "text/jinja_tokens.h"

#include <algorithm>

namespace prescript::jinja {

bool TokenReader::at_name(std::string_view name) const {
  return at(TokenKind::kName) && token().text == name;
}

bool TokenReader::at_operator(std::string_view text) const {
  return at(TokenKind::kOperator) && token().text == text;
}

bool TokenReader::follows(TokenKind kind, std::string_view text) const {
  const Token& following = tokens_[std::min(next_ + 1, tokens_.size() - 1)];
  return following.kind == kind && following.text == text;
}

bool TokenReader::take() {
  if (!at(TokenKind::kEnd)) ++next_;
  return true;
}

void TokenReader::expect_operator(std::string_view text) {
  if (!take_operator(text)) fail("expected '" + std::string(text) + "', found " + described());
}

std::string TokenReader::expect_name(const char* what) {
  if (!at(TokenKind::kName)) fail(std::string("expected ") + what + ", found " + described());
  std::string name = token().text;
  take();
  return name;
}

std::string TokenReader::described() const {
  switch (token().kind) {
    case TokenKind::kVariableEnd:
    case TokenKind::kBlockEnd:
      return "the end of the tag";
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kName:
    case TokenKind::kOperator:
      return "'" + token().text + "'";
    default:
      return "a literal";
  }
}

ExpressionPointer TokenReader::made(Expression&& node) const {
  const auto deepen = [&](const ExpressionPointer& operand) {
    if (operand) node.depth = std::max(node.depth, operand->depth + 1);
  };
  for (const ExpressionPointer& operand : node.operands) deepen(operand);
  for (const auto& keyword : node.keywords) deepen(keyword.second);
  if (node.depth > kMaxDepth) fail("an expression is nested deeper than 64 levels");
  return std::make_unique<const Expression>(std::move(node));
}

void TokenReader::check_depth() const {
  if (depth_ > kMaxDepth) fail("the template is nested deeper than 64 levels");
}

}  // namespace prescript::jinja
