#include "text/jinja_parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "text/jinja_lexer.h"

namespace prescript::jinja {
namespace {

using Kind = Expression::Kind;

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

/// Tokens with a place, and the nodes made of them.
class ParserBase {
 public:
  ParserBase(const std::string& source, const std::string& place)
      : place_(place), tokens_(tokenize(source, place)) {}

 protected:
  [[noreturn]] void fail(const std::string& message) const {
    fail_at(place_, token().line, message);
  }

  const Token& token() const { return tokens_[next_]; }
  const Token& following() const { return tokens_[std::min(next_ + 1, tokens_.size() - 1)]; }
  bool at(TokenKind kind) const { return token().kind == kind; }
  bool at(TokenKind kind, std::string_view text) const { return at(kind) && token().text == text; }
  bool at_name(std::string_view name) const { return at(TokenKind::kName, name); }
  bool at_operator(std::string_view text) const { return at(TokenKind::kOperator, text); }
  bool take_name(std::string_view name) { return at_name(name) && take(); }
  bool take_operator(std::string_view text) { return at_operator(text) && take(); }

  bool take() {
    if (!at(TokenKind::kEnd)) ++next_;
    return true;
  }

  std::string described() const {
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

  void expect_operator(std::string_view text) {
    if (!take_operator(text)) fail("expected '" + std::string(text) + "', found " + described());
  }

  std::string expect_name(const char* what) {
    if (!at(TokenKind::kName)) fail(std::string("expected ") + what + ", found " + described());
    std::string name = token().text;
    take();
    return name;
  }

  Expression node(Kind kind) const { return {.kind = kind, .line = token().line}; }

  /// The finished node. A tree that is too deep could not be evaluated.
  ExpressionPointer made(Expression&& node) const {
    for (const ExpressionPointer& operand : node.operands) deepen(node, operand);
    for (const auto& [name, operand] : node.keywords) deepen(node, operand);
    if (node.depth > kMaxDepth) fail("an expression is nested deeper than 64 levels");
    return std::make_unique<const Expression>(std::move(node));
  }

  template <typename... Operands>
  ExpressionPointer made(Expression&& node, Operands&&... operands) const {
    (node.operands.push_back(std::forward<Operands>(operands)), ...);
    return made(std::move(node));
  }

  const std::string& place_;
  std::vector<Token> tokens_;
  size_t next_ = 0;
  size_t depth_ = 0;        // of the parser's own recursion
  size_t conditional_ = 0;  // levels of conditions and macros around this place

 private:
  static void deepen(Expression& node, const ExpressionPointer& operand) {
    if (operand) node.depth = std::max(node.depth, operand->depth + 1);
  }
};

/// Expressions, by Jinja's grammar: each function is one level of precedence, loosest first.
class ExpressionParser : public ParserBase {
 public:
  using ParserBase::ParserBase;

 protected:
  ExpressionPointer expression(bool with_condition = true) {
    const Level level(depth_);
    if (depth_ > kMaxDepth) fail("an expression is nested deeper than 64 levels");
    return with_condition ? condition() : either();
  }

  /// An expression, or several with commas between them: a tuple.
  ExpressionPointer tuple(bool with_condition = true, bool may_be_empty = false) {
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

  /// Filters behind `input`: `| name(arguments)`.
  ExpressionPointer filters(ExpressionPointer input) {
    while (take_operator("|")) input = filter(std::move(input));
    return input;
  }

  /// One filter, from its name on.
  ExpressionPointer filter(ExpressionPointer input) {
    Expression call = node(Kind::kFilter);
    const std::string name = expect_name("a filter");
    call.operands.push_back(std::move(input));
    if (at_operator("(")) arguments(call);
    if (name == "map") return map_filter(std::move(call));
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr")
      return select_filter(std::move(call), name);
    return bound(std::move(call), find_filter(name), "the filter '" + name + "'");
  }

  /// How many loops are around this place, within the innermost macro or captured block.
  size_t loops_ = 0;

 private:
  bool at_tuple_end() const {
    return at(TokenKind::kVariableEnd) || at(TokenKind::kBlockEnd) || at_operator(")");
  }

  /// Something that is not supported. It is no error where it may never be reached.
  ExpressionPointer refused(const std::string& what) const {
    if (conditional_ == 0) fail(what + " is not supported");
    Expression result = node(Kind::kRefused);
    result.name = what + " is not supported";
    return made(std::move(result));
  }

  ExpressionPointer condition() {
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

  ExpressionPointer either() {
    ExpressionPointer left = both();
    while (at_name("or")) {
      Expression choice = node(Kind::kOr);
      take();
      left = made(std::move(choice), std::move(left), both());
    }
    return left;
  }

  ExpressionPointer both() {
    ExpressionPointer left = negation();
    while (at_name("and")) {
      Expression choice = node(Kind::kAnd);
      take();
      left = made(std::move(choice), std::move(left), negation());
    }
    return left;
  }

  ExpressionPointer negation() {
    if (!at_name("not")) return comparison();
    const Level level(depth_);
    if (depth_ > kMaxDepth) fail("an expression is nested deeper than 64 levels");
    Expression result = node(Kind::kNot);
    take();
    return made(std::move(result), negation());
  }

  std::optional<Operator> comparison_operator() {
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
    if (at_name("not") && following().kind == TokenKind::kName && following().text == "in") {
      take();
      take();
      return Operator::kNotIn;
    }
    return std::nullopt;
  }

  ExpressionPointer comparison() {
    ExpressionPointer left = sum();
    Expression chain = node(Kind::kCompare);
    while (const auto op = comparison_operator()) {
      if (chain.operators.empty()) chain.operands.push_back(std::move(left));
      chain.operators.push_back(*op);
      chain.operands.push_back(sum());
    }
    return chain.operators.empty() ? std::move(left) : made(std::move(chain));
  }

  /// Operands of `next`, with the operators of one precedence between them.
  template <typename Next>
  ExpressionPointer chain(std::initializer_list<std::pair<std::string_view, Operator>> operators,
                          const Next& next) {
    ExpressionPointer left = next();
    for (bool found = true; found;) {
      found = false;
      for (const auto& [symbol, op] : operators) {
        if (!at_operator(symbol)) continue;
        Expression result = node(Kind::kArithmetic);
        result.operators.push_back(op);
        take();
        left = made(std::move(result), std::move(left), next());
        found = true;
      }
    }
    return left;
  }

  ExpressionPointer sum() {
    return chain({{"+", Operator::kAdd}, {"-", Operator::kSubtract}}, [this] { return concat(); });
  }

  ExpressionPointer concat() {
    ExpressionPointer first = product();
    if (!at_operator("~")) return first;
    Expression result = node(Kind::kConcat);
    result.operands.push_back(std::move(first));
    while (take_operator("~")) result.operands.push_back(product());
    return made(std::move(result));
  }

  ExpressionPointer product() {
    return chain({{"*", Operator::kMultiply},
                  {"/", Operator::kDivide},
                  {"//", Operator::kFloorDivide},
                  {"%", Operator::kModulo}},
                 [this] {
                   return chain({{"**", Operator::kPower}}, [this] { return unary(true); });
                 });
  }

  ExpressionPointer unary(bool with_filters) {
    ExpressionPointer result;
    if (at_operator("-") || at_operator("+")) {
      const Level level(depth_);
      if (depth_ > kMaxDepth) fail("an expression is nested deeper than 64 levels");
      Expression sign = node(at_operator("-") ? Kind::kNegative : Kind::kPositive);
      take();
      result = made(std::move(sign), unary(false));
    } else {
      result = primary();
    }
    result = postfix(std::move(result));
    while (with_filters) {
      if (take_operator("|")) {
        result = filter(std::move(result));
      } else if (take_name("is")) {
        result = test(std::move(result));
      } else if (at_operator("(")) {
        result = call(std::move(result));
      } else {
        break;
      }
    }
    return result;
  }

  ExpressionPointer constant(Value value) {
    Expression result = node(Kind::kConstant);
    result.value = std::move(value);
    take();
    return made(std::move(result));
  }

  ExpressionPointer primary() {
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

  ExpressionPointer name() {
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

  /// The loop is no value of its own: it could outlive itself.
  ExpressionPointer loop() {
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

  ExpressionPointer list() {
    Expression result = node(Kind::kList);
    take();
    while (!at_operator("]")) {
      result.operands.push_back(expression());
      if (!take_operator(",")) break;
    }
    expect_operator("]");
    return made(std::move(result));
  }

  ExpressionPointer dict() {
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

  ExpressionPointer postfix(ExpressionPointer object) {
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

  ExpressionPointer member(ExpressionPointer object) {
    Expression result = node(Kind::kAttribute);
    take();
    if (at(TokenKind::kNumber)) {
      result.kind = Kind::kItem;
      return made(std::move(result), std::move(object), constant(token().number));
    }
    result.name = expect_name("an attribute");
    if (result.name.starts_with("__")) fail("the attribute '" + result.name + "' is not supported");
    result.operands.push_back(std::move(object));
    if (!at_operator("(")) return made(std::move(result));
    result.kind = Kind::kMethod;
    arguments(result);
    const std::string what = "the method '" + result.name + "'";
    return bound(std::move(result), find_method(result.name), what);
  }

  ExpressionPointer subscript(ExpressionPointer object) {
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

  ExpressionPointer call(ExpressionPointer callee) {
    Expression result = node(Kind::kCall);
    if (callee->kind != Kind::kName) fail("a call of a computed function is not supported");
    if (callee->name == "cycler" || callee->name == "joiner" || callee->name == "lipsum")
      return arguments(result), refused("the function '" + callee->name + "'");
    result.operands.push_back(std::move(callee));
    arguments(result);
    return made(std::move(result));
  }

  /// `(a, b, name=c)`, behind the operands that the call already has.
  void arguments(Expression& call) {
    expect_operator("(");
    while (!at_operator(")")) {
      if (at_operator("*") || at_operator("**")) fail("'*' in a call is not supported");
      if (at(TokenKind::kName) && following().kind == TokenKind::kOperator &&
          following().text == "=") {
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

  /// `is name`, `is not name`, `is name argument`.
  ExpressionPointer test(ExpressionPointer input) {
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
    ExpressionPointer tested = bound(std::move(result), find_test(name), "the test '" + name + "'");
    return is_negated ? made(std::move(negation), std::move(tested)) : std::move(tested);
  }

  /// Puts the arguments behind operands[0] into the order of the parameters.
  ExpressionPointer bound(Expression&& call, const Builtin* builtin, const std::string& what) {
    if (builtin == nullptr) return refused(what);
    const auto& parameters = builtin->parameters;
    if (call.operands.size() > parameters.size() + 1)
      return refused("so many arguments of " + what);
    call.operands.resize(parameters.size() + 1);
    for (auto& [keyword, value] : call.keywords) {
      const auto found = std::find(parameters.begin(), parameters.end(), keyword);
      if (found == parameters.end()) return refused("the argument '" + keyword + "' of " + what);
      ExpressionPointer& slot = call.operands[static_cast<size_t>(found - parameters.begin()) + 1];
      if (slot) return refused("the argument '" + keyword + "' given twice to " + what);
      slot = std::move(value);
    }
    call.keywords.clear();
    for (size_t i = 1; i <= builtin->num_required; ++i) {
      if (!call.operands[i])
        return refused(what + " without '" + std::string(parameters[i - 1]) + "'");
    }
    call.builtin = builtin;
    return made(std::move(call));
  }

  /// Removes operands[1], which must be a literal string, and returns it.
  std::optional<std::string> take_literal(Expression& call) const {
    if (call.operands.size() < 2 || call.operands[1]->kind != Kind::kConstant) return std::nullopt;
    const std::string* text = as_text(call.operands[1]->value);
    if (text == nullptr) return std::nullopt;
    std::string literal = *text;
    call.operands.erase(call.operands.begin() + 1);
    return literal;
  }

  /// map("filter", arguments) or map(attribute="path").
  ExpressionPointer map_filter(Expression&& call) {
    call.kind = Kind::kMap;
    if (call.keywords.size() == 1 && call.keywords[0].first == "attribute" &&
        call.operands.size() == 1) {
      call.operands.push_back(std::move(call.keywords[0].second));
      call.keywords.clear();
      const auto path = take_literal(call);
      if (!path) return refused("this form of the filter 'map'");
      call.name = *path;
      return made(std::move(call));
    }
    const auto name = take_literal(call);
    if (!name) return refused("this form of the filter 'map'");
    return bound(std::move(call), find_filter(*name), "the filter '" + *name + "'");
  }

  /// select("test", arguments), selectattr("path", "test", arguments), and reject of both.
  ExpressionPointer select_filter(Expression&& call, const std::string& name) {
    call.kind = Kind::kSelect;
    call.negate = name.starts_with("reject");
    if (name.ends_with("attr")) {
      const auto path = take_literal(call);
      if (!path || path->empty()) return refused("this form of the filter '" + name + "'");
      call.name = *path;
    }
    if (call.operands.size() == 1 && call.keywords.empty()) return made(std::move(call));
    const auto test_name = take_literal(call);
    if (!test_name) return refused("this form of the filter '" + name + "'");
    return bound(std::move(call), find_test(*test_name), "the test '" + *test_name + "'");
  }
};

/// Statements.
class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Block parse() {
    Block body = block({});
    if (!at(TokenKind::kEnd)) fail("expected the end of the template");
    return body;
  }

 private:
  Statement statement(Statement::Kind kind) const { return {.kind = kind, .line = token().line}; }

  /// Statements up to a tag of one of these names, whose name is the next token.
  Block block(std::initializer_list<std::string_view> ends) {
    const Level level(depth_);
    if (depth_ > kMaxDepth) fail("tags are nested deeper than 64 levels");
    Block body;
    for (;;) {
      if (at(TokenKind::kData)) {
        body.push_back(statement(Statement::Kind::kData));
        body.back().text = token().text;
        take();
      } else if (at(TokenKind::kVariableBegin)) {
        take();
        Statement output = statement(Statement::Kind::kOutput);
        output.expression = tuple();
        if (!at(TokenKind::kVariableEnd)) fail("expected '}}', found " + described());
        take();
        body.push_back(std::move(output));
      } else if (at(TokenKind::kBlockBegin)) {
        take();
        if (at(TokenKind::kName) && std::find(ends.begin(), ends.end(), token().text) != ends.end())
          return body;
        body.push_back(tag());
        end_of_tag();
      } else if (ends.size() > 0) {
        fail("the template ends before {% " + std::string(*(ends.end() - 1)) + " %}");
      } else {
        return body;
      }
    }
  }

  void end_of_tag() {
    if (!at(TokenKind::kBlockEnd)) fail("expected '%}', found " + described());
    take();
  }

  /// What stands between the tag that is being read and the tag `end`, whose name it takes.
  Block body_until(std::string_view end) {
    end_of_tag();
    Block body = block({end});
    take();
    return body;
  }

  Statement tag() {
    const std::string name = expect_name("the name of a tag");
    if (name == "if") return if_tag();
    if (name == "for") return for_tag();
    if (name == "set") return set_tag();
    if (name == "macro") return macro_tag();
    if (name == "filter") return filter_tag();
    if (name == "generation") return generation_tag();
    if (name == "break" || name == "continue") {
      if (loops_ == 0 || captures_ > 0) fail("{% " + name + " %} is used outside of a loop");
      return statement(name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue);
    }
    fail("the tag {% " + name + " %} is not supported here");
  }

  Statement if_tag() {
    Statement result = statement(Statement::Kind::kIf);
    const Level conditional(conditional_);
    std::string name = "if";
    while (name != "endif") {
      ExpressionPointer condition = name == "else" ? nullptr : tuple(false);
      end_of_tag();
      Block body = name == "else" ? block({"endif"}) : block({"elif", "else", "endif"});
      result.branches.push_back({std::move(condition), std::move(body)});
      name = expect_name("a tag");
    }
    return result;
  }

  std::string target_name() {
    constexpr std::string_view kReserved[] = {
        "true", "false", "none", "True", "False", "None", "loop"};
    std::string name = expect_name("a name");
    if (std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved))
      fail("'" + name + "' cannot be set");
    return name;
  }

  /// Names with commas between them, or name.attribute.
  std::vector<Target> targets(bool may_be_attribute) {
    std::vector<Target> result;
    do {
      Target target{target_name(), ""};
      if (may_be_attribute && take_operator(".")) target.attribute = expect_name("an attribute");
      result.push_back(std::move(target));
    } while (take_operator(","));
    return result;
  }

  Statement for_tag() {
    Statement result = statement(Statement::Kind::kFor);
    result.targets = targets(false);
    if (!take_name("in")) fail("expected 'in', found " + described());
    result.expression = tuple(false);
    if (take_name("if")) {
      const size_t loops = std::exchange(loops_, 0);  // the condition does not see the loop
      result.condition = expression();
      loops_ = loops;
    }
    if (at_name("recursive")) fail("'recursive' is not supported");
    end_of_tag();
    {
      const Level loop(loops_);
      const size_t captures = std::exchange(captures_, 0);
      result.body = block({"else", "endfor"});
      captures_ = captures;
    }
    if (expect_name("a tag") == "else") {
      result.branches.push_back({nullptr, body_until("endfor")});
    }
    return result;
  }

  Statement set_tag() {
    Statement result = statement(Statement::Kind::kSet);
    result.targets = targets(true);
    if (take_operator("=")) {
      result.expression = tuple();
      return result;
    }
    return capture(std::move(result), filters(made(node(Kind::kCaptured))), "endset");
  }

  Statement filter_tag() {
    Statement result = statement(Statement::Kind::kCapture);
    ExpressionPointer filtered = filters(filter(made(node(Kind::kCaptured))));
    return capture(std::move(result), std::move(filtered), "endfilter");
  }

  Statement capture(Statement&& result, ExpressionPointer filtered, std::string_view end) {
    result.kind = Statement::Kind::kCapture;
    result.expression = std::move(filtered);
    const Level level(captures_);
    result.body = body_until(end);
    return std::move(result);
  }

  /// transformers' own tag: it marks what the assistant says.
  Statement generation_tag() {
    Statement result = statement(Statement::Kind::kScope);
    const Level level(captures_);
    result.body = body_until("endgeneration");
    return result;
  }

  Statement macro_tag() {
    Statement result = statement(Statement::Kind::kMacro);
    if (loops_ > 0 || captures_ > 0 || in_macro_)
      fail("a macro inside of a loop, a block or a macro is not supported");
    auto macro = std::make_unique<Macro>();
    macro->name = expect_name("a macro's name");
    expect_operator("(");
    const Level conditional(conditional_);
    while (!at_operator(")")) {
      std::string parameter = target_name();
      ExpressionPointer value = take_operator("=") ? expression() : nullptr;
      if (!value && !macro->parameters.empty() && macro->parameters.back().second)
        fail("a parameter without a default behind one with a default");
      macro->parameters.emplace_back(std::move(parameter), std::move(value));
      if (!take_operator(",")) break;
    }
    expect_operator(")");
    in_macro_ = true;
    macro->body = body_until("endmacro");
    in_macro_ = false;
    result.macro = std::move(macro);
    return result;
  }

  size_t captures_ =
      0;  // blocks around this place, within the innermost loop, that a break would cut
  bool in_macro_ = false;
};

}  // namespace

Block parse(const std::string& source, const std::string& place) {
  return Parser(source, place).parse();
}

}  // namespace prescript::jinja
