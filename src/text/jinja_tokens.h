#pragma once
// A parser's place in the tokens of a chat template.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_lexer.h"
#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// Counts a level of nesting while it lives.
class Level {
 public:
  explicit Level(size_t& count) : count_(count) { ++count_; }
  ~Level() { --count_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  size_t& count_;
};

/// The base of the parsers: the next token, what must follow, and the nodes made of them.
class TokenReader {
 public:
  TokenReader(const std::string& source, const std::string& place)
      : place_(place), tokens_(tokenize(source, place)) {}

 protected:
  [[noreturn]] void fail(const std::string& message) const {
    fail_at(place_, token().line, message);
  }

  const Token& token() const { return tokens_[next_]; }
  bool at(TokenKind kind) const { return token().kind == kind; }
  bool at_name(std::string_view name) const;
  bool at_operator(std::string_view text) const;
  /// Whether the token behind the next one is that.
  bool follows(TokenKind kind, std::string_view text) const;

  /// Moves behind the next token. True, so that it can end a condition.
  bool take();
  bool take_name(std::string_view name) { return at_name(name) && take(); }
  bool take_operator(std::string_view text) { return at_operator(text) && take(); }
  void expect_operator(std::string_view text);
  std::string expect_name(const char* what);
  /// The next token, for messages.
  std::string described() const;

  Expression node(Expression::Kind kind) const { return {.kind = kind, .line = token().line}; }
  /// The finished node. A tree that is too deep could not be evaluated.
  ExpressionPointer made(Expression&& node) const;
  template <typename... Operands>
  ExpressionPointer made(Expression&& node, Operands&&... operands) const {
    (node.operands.push_back(std::forward<Operands>(operands)), ...);
    return made(std::move(node));
  }
  /// To be called where the parser calls itself, with `depth_` counted.
  void check_depth() const;

  const std::string& place_;
  size_t depth_ = 0;  // of the parser's recursion

 private:
  std::vector<Token> tokens_;
  size_t next_ = 0;
};

}  // namespace prescript::jinja
