#pragma once
// Parses the expressions of chat templates.

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "text/jinja_tokens.h"

namespace prescript::jinja {

/// By Jinja's grammar: each function is one level of precedence.
class ExpressionParser : public TokenReader {
 public:
  using TokenReader::TokenReader;

 protected:
  ExpressionPointer expression(bool with_condition = true);
  /// An expression, or several with commas between them: a tuple.
  ExpressionPointer tuple(bool with_condition = true, bool may_be_empty = false);
  /// Filters behind `input`: `| name(arguments)`.
  ExpressionPointer filters(ExpressionPointer input);
  /// One filter, from its name on.
  ExpressionPointer filter(ExpressionPointer input);

  size_t loops_ = 0;        // around this place, within the innermost macro
  size_t conditional_ = 0;  // conditions and macros around this place

 private:
  bool at_tuple_end() const;
  /// Something that is not supported. It is no error where it may never be reached.
  ExpressionPointer refused(const std::string& what) const;
  ExpressionPointer condition();
  ExpressionPointer either();
  ExpressionPointer both();
  ExpressionPointer negation();
  std::optional<Operator> comparison_operator();
  ExpressionPointer comparison();
  /// Operands of `next`, with the operators of one precedence between them.
  ExpressionPointer chain(std::initializer_list<std::pair<std::string_view, Operator>> operators,
                          ExpressionPointer (ExpressionParser::*next)());
  ExpressionPointer sum();
  ExpressionPointer concat();
  ExpressionPointer product();
  ExpressionPointer power();
  ExpressionPointer unary();
  ExpressionPointer unary_with_filters();
  ExpressionPointer constant(Value value);
  ExpressionPointer primary();
  ExpressionPointer name();
  /// The loop is no value of its own: it could outlive itself.
  ExpressionPointer loop();
  ExpressionPointer list();
  ExpressionPointer dict();
  ExpressionPointer postfix(ExpressionPointer object);
  ExpressionPointer member(ExpressionPointer object);
  ExpressionPointer subscript(ExpressionPointer object);
  ExpressionPointer call(ExpressionPointer callee);
  /// `(a, b, name=c)`, behind the operands that the call already has.
  void arguments(Expression& call);
  /// `is name`, `is not name`, `is name argument`.
  ExpressionPointer test(ExpressionPointer input);
};

}  // namespace prescript::jinja
