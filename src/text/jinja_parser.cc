#include "text/jinja_parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "text/jinja_expressions.h"

namespace prescript::jinja {
namespace {

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
    check_depth();
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
        fail(std::string("the template ends before the tag '").append(*(ends.end() - 1)) + "'");
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
      if (loops_ == 0 || captures_ > 0) fail("the tag '" + name + "' is used outside of a loop");
      return statement(name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue);
    }
    fail("the tag '" + name + "' is not supported here");
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
    return capture(std::move(result), filters(written()), "endset");
  }

  /// What the block writes, as the input of filters.
  ExpressionPointer written() const {
    Expression result = node(Expression::Kind::kName);
    result.name = kWritten;
    return made(std::move(result));
  }

  Statement filter_tag() {
    Statement result = statement(Statement::Kind::kCapture);
    ExpressionPointer filtered = filters(filter(written()));
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
