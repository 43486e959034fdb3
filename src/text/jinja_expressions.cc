#include "text/jinja_expressions.h"

#include <algorithm>
#include <iterator>

#include "text/jinja_binding.h"

namespace prescript::jinja {

using Kind = Expression::Kind;

ExpressionPointer ExpressionParser::expression(bool with_condition) {
  const Level level(depth_);
  check_depth();
  return with_condition ? condition() : either();
}

ExpressionPointer ExpressionParser::tuple(bool with_condition, bool may_be_empty) {
  Expression items = node(Kind::kTuple);
  bool is_tuple = false;
  while (!at_tuple_end()) {
    items.operands.push_back(expression(with_condition));
    if (!take_operator(",")) break;
    is_tuple = true;
  }
  if (is_tuple || (items.operands.empty() && may_be_empty)) return made(std::move(items));
  if (items.operands.empty()) fail("expected an expression, found " + described());
  return std::move(items.operands[0]);
}

ExpressionPointer ExpressionParser::filters(ExpressionPointer input) {
  while (take_operator("|")) input = filter(std::move(input));
  return input;
}

ExpressionPointer ExpressionParser::filter(ExpressionPointer input) {
  Expression call = node(Kind::kFilter);
  const std::string name = expect_name("a filter");
  call.operands.push_back(std::move(input));
  if (at_operator("(")) arguments(call);
  const auto problem = bind_filter(call, name);
  return problem ? refused(*problem) : made(std::move(call));
}

bool ExpressionParser::at_tuple_end() const {
  return at(TokenKind::kVariableEnd) || at(TokenKind::kBlockEnd) || at_operator(")");
}

ExpressionPointer ExpressionParser::refused(const std::string& what) const {
  if (conditional_ == 0) fail(what + " is not supported");
  Expression result = node(Kind::kRefused);
  result.name = what + " is not supported";
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::condition() {
  ExpressionPointer then = either();
  while (at_name("if")) {
    Expression choice = node(Kind::kCondition);
    take();
    const Level conditional(conditional_);
    ExpressionPointer test = either();
    ExpressionPointer otherwise = take_name("else") ? expression() : nullptr;
    then = made(std::move(choice), std::move(test), std::move(then), std::move(otherwise));
  }
  return then;
}

ExpressionPointer ExpressionParser::either() {
  ExpressionPointer left = both();
  while (at_name("or")) {
    Expression choice = node(Kind::kOr);
    take();
    left = made(std::move(choice), std::move(left), both());
  }
  return left;
}

ExpressionPointer ExpressionParser::both() {
  ExpressionPointer left = negation();
  while (at_name("and")) {
    Expression choice = node(Kind::kAnd);
    take();
    left = made(std::move(choice), std::move(left), negation());
  }
  return left;
}

ExpressionPointer ExpressionParser::negation() {
  if (!at_name("not")) return comparison();
  const Level level(depth_);
  check_depth();
  Expression result = node(Kind::kNot);
  take();
  return made(std::move(result), negation());
}

std::optional<Operator> ExpressionParser::comparison_operator() {
  constexpr std::pair<std::string_view, Operator> kSymbols[] = {
      {"==", Operator::kEqual},
      {"!=", Operator::kNotEqual},
      {"<", Operator::kLess},
      {"<=", Operator::kLessEqual},
      {">", Operator::kGreater},
      {">=", Operator::kGreaterEqual},
  };
  for (const auto& [symbol, op] : kSymbols) {
    if (take_operator(symbol)) return op;
  }
  if (take_name("in")) return Operator::kIn;
  if (at_name("not") && follows(TokenKind::kName, "in")) {
    take();
    take();
    return Operator::kNotIn;
  }
  return std::nullopt;
}

ExpressionPointer ExpressionParser::comparison() {
  ExpressionPointer left = sum();
  Expression chain = node(Kind::kCompare);
  while (const auto op = comparison_operator()) {
    if (chain.operators.empty()) chain.operands.push_back(std::move(left));
    chain.operators.push_back(*op);
    chain.operands.push_back(sum());
  }
  return chain.operators.empty() ? std::move(left) : made(std::move(chain));
}

ExpressionPointer ExpressionParser::chain(
    std::initializer_list<std::pair<std::string_view, Operator>> operators,
    ExpressionPointer (ExpressionParser::*next)()) {
  ExpressionPointer left = (this->*next)();
  for (bool found = true; found;) {
    found = false;
    for (const auto& [symbol, op] : operators) {
      if (!at_operator(symbol)) continue;
      Expression result = node(Kind::kArithmetic);
      result.operators.push_back(op);
      take();
      left = made(std::move(result), std::move(left), (this->*next)());
      found = true;
    }
  }
  return left;
}

ExpressionPointer ExpressionParser::sum() {
  return chain({{"+", Operator::kAdd}, {"-", Operator::kSubtract}}, &ExpressionParser::concat);
}

ExpressionPointer ExpressionParser::concat() {
  ExpressionPointer first = product();
  if (!at_operator("~")) return first;
  Expression result = node(Kind::kConcat);
  result.operands.push_back(std::move(first));
  while (take_operator("~")) result.operands.push_back(product());
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::product() {
  return chain({{"*", Operator::kMultiply},
                {"/", Operator::kDivide},
                {"//", Operator::kFloorDivide},
                {"%", Operator::kModulo}},
               &ExpressionParser::power);
}

ExpressionPointer ExpressionParser::power() {
  return chain({{"**", Operator::kPower}}, &ExpressionParser::unary_with_filters);
}

ExpressionPointer ExpressionParser::unary() {
  if (!at_operator("-") && !at_operator("+")) return postfix(primary());
  const Level level(depth_);
  check_depth();
  Expression sign = node(at_operator("-") ? Kind::kNegative : Kind::kPositive);
  take();
  return postfix(made(std::move(sign), unary()));
}

ExpressionPointer ExpressionParser::unary_with_filters() {
  ExpressionPointer result = unary();
  for (;;) {
    if (take_operator("|")) {
      result = filter(std::move(result));
    } else if (take_name("is")) {
      result = test(std::move(result));
    } else if (at_operator("(")) {
      result = call(std::move(result));
    } else {
      return result;
    }
  }
}

ExpressionPointer ExpressionParser::constant(Value value) {
  Expression result = node(Kind::kConstant);
  result.value = std::move(value);
  take();
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::primary() {
  if (at(TokenKind::kName)) return name();
  if (at(TokenKind::kNumber)) return constant(token().number);
  if (at(TokenKind::kText)) {
    Expression result = node(Kind::kConstant);
    std::string text;
    for (; at(TokenKind::kText); take()) text += token().text;
    result.value = text_value(std::move(text));
    return made(std::move(result));
  }
  if (take_operator("(")) {
    ExpressionPointer inner = tuple(true, true);
    expect_operator(")");
    return inner;
  }
  if (at_operator("[")) return list();
  if (at_operator("{")) return dict();
  fail("expected an expression, found " + described());
}

ExpressionPointer ExpressionParser::name() {
  const std::string& text = token().text;
  if (text == "true" || text == "True") return constant(true);
  if (text == "false" || text == "False") return constant(false);
  if (text == "none" || text == "None") return constant(None{});
  Expression result = node(Kind::kName);
  result.name = text;
  if (text == "loop") return loop();
  if (text == "varargs" || text == "kwargs" || text == "caller" || text == "self" ||
      text == "super")
    fail("the name '" + text + "' is not supported");
  take();
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::loop() {
  constexpr std::string_view kAttributes[] = {"index",
                                              "index0",
                                              "revindex",
                                              "revindex0",
                                              "first",
                                              "last",
                                              "length",
                                              "depth",
                                              "depth0",
                                              "previtem",
                                              "nextitem",
                                              "cycle"};
  Expression result = node(Kind::kLoop);
  take();
  if (loops_ == 0) fail("'loop' is used outside of a loop");
  if (!take_operator(".")) fail("'loop' without an attribute is not supported");
  result.name = expect_name("an attribute of loop");
  if (std::find(std::begin(kAttributes), std::end(kAttributes), result.name) ==
      std::end(kAttributes))
    fail("'loop." + result.name + "' is not supported");
  if (result.name == "cycle") {
    arguments(result);
    if (!result.keywords.empty() || result.operands.empty())
      fail("loop.cycle takes one or more values");
  }
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::list() {
  Expression result = node(Kind::kList);
  take();
  while (!at_operator("]")) {
    result.operands.push_back(expression());
    if (!take_operator(",")) break;
  }
  expect_operator("]");
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::dict() {
  Expression result = node(Kind::kDict);
  take();
  while (!at_operator("}")) {
    result.operands.push_back(expression());
    expect_operator(":");
    result.operands.push_back(expression());
    if (!take_operator(",")) break;
  }
  expect_operator("}");
  return made(std::move(result));
}

ExpressionPointer ExpressionParser::postfix(ExpressionPointer object) {
  for (;;) {
    if (at_operator(".")) {
      object = member(std::move(object));
    } else if (at_operator("[")) {
      object = subscript(std::move(object));
    } else if (at_operator("(")) {
      object = call(std::move(object));
    } else {
      return object;
    }
  }
}

ExpressionPointer ExpressionParser::member(ExpressionPointer object) {
  Expression result = node(Kind::kAttribute);
  take();
  if (at(TokenKind::kNumber) && std::holds_alternative<int64_t>(token().number)) {
    result.kind = Kind::kItem;
    return made(std::move(result), std::move(object), constant(token().number));
  }
  result.name = expect_name("an attribute");
  if (result.name.starts_with("__")) fail("the attribute '" + result.name + "' is not supported");
  result.operands.push_back(std::move(object));
  if (!at_operator("(")) return made(std::move(result));
  result.kind = Kind::kMethod;
  arguments(result);
  const auto problem = bind_method(result, result.name);
  return problem ? refused(*problem) : made(std::move(result));
}

ExpressionPointer ExpressionParser::subscript(ExpressionPointer object) {
  Expression result = node(Kind::kSlice);
  take();
  const auto bound_here = [&] {
    return !at_operator(":") && !at_operator("]") ? expression() : nullptr;
  };
  ExpressionPointer begin = bound_here(), end, step;
  if (begin && !at_operator(":")) result.kind = Kind::kItem;
  if (take_operator(":")) {
    end = bound_here();
    if (take_operator(":")) step = bound_here();
  } else if (!begin) {
    fail("expected an expression, found " + described());
  }
  expect_operator("]");
  if (result.kind == Kind::kItem)
    return made(std::move(result), std::move(object), std::move(begin));
  return made(
      std::move(result), std::move(object), std::move(begin), std::move(end), std::move(step));
}

ExpressionPointer ExpressionParser::call(ExpressionPointer callee) {
  Expression result = node(Kind::kCall);
  if (callee->kind != Kind::kName) fail("a call of a computed function is not supported");
  if (callee->name == "cycler" || callee->name == "joiner" || callee->name == "lipsum")
    return arguments(result), refused("the function '" + callee->name + "'");
  result.operands.push_back(std::move(callee));
  arguments(result);
  return made(std::move(result));
}

void ExpressionParser::arguments(Expression& call) {
  expect_operator("(");
  while (!at_operator(")")) {
    if (at_operator("*") || at_operator("**")) fail("'*' in a call is not supported");
    if (at(TokenKind::kName) && follows(TokenKind::kOperator, "=")) {
      std::string keyword = expect_name("a name");
      take();
      call.keywords.emplace_back(std::move(keyword), expression());
    } else if (call.keywords.empty()) {
      call.operands.push_back(expression());
    } else {
      fail("an argument without a name behind one with a name");
    }
    if (!take_operator(",")) break;
  }
  expect_operator(")");
}

ExpressionPointer ExpressionParser::test(ExpressionPointer input) {
  Expression result = node(Kind::kTest);
  const bool is_negated = take_name("not");
  const std::string name = expect_name("a test");
  result.operands.push_back(std::move(input));
  const bool is_value = at(TokenKind::kName) || at(TokenKind::kText) || at(TokenKind::kNumber) ||
                        at_operator("[") || at_operator("{");
  if (at_operator("(")) {
    arguments(result);
  } else if (is_value && !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) fail("tests cannot be chained with 'is'");
    result.operands.push_back(postfix(primary()));
  }
  Expression negation = node(Kind::kNot);
  const auto problem = bind_test(result, name);
  ExpressionPointer tested = problem ? refused(*problem) : made(std::move(result));
  return is_negated ? made(std::move(negation), std::move(tested)) : std::move(tested);
}

}  // namespace prescript::jinja
