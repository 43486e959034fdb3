#include "text/jinja_interpreter.h"

#include <deque>
#include <utility>

#include "text/jinja_access.h"
#include "text/jinja_arguments.h"
#include "text/jinja_globals.h"
#include "text/jinja_loop.h"

namespace prescript::jinja {
namespace {

using Kind = Expression::Kind;

/// Python runs out of stack later; the limit keeps ours from doing so.
constexpr size_t kMaxEvaluations = 512;

/// Variables of a loop's turn, a macro's call or a captured block. Each lives on the C++ stack.
struct Scope {
  const Scope* outer = nullptr;
  std::map<std::string, Value> variables{};
  Loop* loop = nullptr;
};

/// How a block ended.
enum class Flow { kNormal, kBreak, kContinue };

class Interpreter {
 public:
  Interpreter(const Context& context, Run& run) : context_(context), run_(run) {}

  std::string render(const Block& program) {
    std::string out;
    execute(program, root_, out);
    return out;
  }

 private:
  /// Counts a level of recursion while it lives.
  class Level {
   public:
    Level(Run& run, size_t& count, size_t limit) : count_(count) {
      if (count == limit) run.fail("the chat template nests its work too deeply");
      ++count_;
    }
    ~Level() { --count_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    size_t& count_;
  };

  Flow execute(const Block& block, Scope& scope, std::string& out) {
    const Level level(run_, evaluations_, kMaxEvaluations);
    for (const Statement& statement : block) {
      run_.at_line(statement.line);
      run_.spend(1);
      const Flow flow = execute(statement, scope, out);
      if (flow != Flow::kNormal) return flow;
    }
    return Flow::kNormal;
  }

  Flow execute(const Statement& statement, Scope& scope, std::string& out) {
    switch (statement.kind) {
      case Statement::Kind::kData:
        run_.spend_bytes(statement.text.size());
        run_.check_bytes(out.size() + statement.text.size());
        out += statement.text;
        return Flow::kNormal;
      case Statement::Kind::kOutput:
        append_text(run_, evaluate(*statement.expression, scope), out);
        return Flow::kNormal;
      case Statement::Kind::kIf:
        for (const Branch& branch : statement.branches) {
          if (!branch.condition || truth(evaluate(*branch.condition, scope)))
            return execute(branch.body, scope, out);
        }
        return Flow::kNormal;
      case Statement::Kind::kFor:
        return loop(statement, scope, out);
      case Statement::Kind::kSet:
        assign(statement.targets, evaluate(*statement.expression, scope), scope);
        return Flow::kNormal;
      case Statement::Kind::kCapture:
        capture(statement, scope, out);
        return Flow::kNormal;
      case Statement::Kind::kMacro:
        scope.variables[statement.macro->name] = statement.macro.get();
        return Flow::kNormal;
      case Statement::Kind::kScope: {
        Scope inner{.outer = &scope};
        return execute(statement.body, inner, out);
      }
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNormal;
  }

  Flow loop(const Statement& statement, Scope& scope, std::string& out) {
    const auto accepts = [&](const Value& item) {
      if (!statement.condition) return true;
      Scope inner{.outer = &scope};
      assign(statement.targets, item, inner);
      return truth(evaluate(*statement.condition, inner));
    };
    Loop loop(items_of(run_, evaluate(*statement.expression, scope)), accepts);
    while (const auto item = loop.next()) {
      run_.spend(1);
      Scope inner{.outer = &scope, .loop = &loop};
      assign(statement.targets, *item, inner);
      if (execute(statement.body, inner, out) == Flow::kBreak) break;
    }
    if (loop.index0() >= 0 || statement.branches.empty()) return Flow::kNormal;
    Scope inner{.outer = &scope};
    return execute(statement.branches[0].body, inner, out);
  }

  void capture(const Statement& statement, Scope& scope, std::string& out) {
    std::string written;
    Scope inner{.outer = &scope};
    execute(statement.body, inner, written);
    inner.variables[kWritten] = text_value(run_, std::move(written));
    const Value value = evaluate(*statement.expression, inner);
    if (statement.targets.empty()) return append_text(run_, value, out);
    assign(statement.targets, value, scope);
  }

  void assign(const std::vector<Target>& targets, const Value& value, Scope& scope) {
    if (targets.size() == 1) return assign(targets[0], value, scope);
    if (is_undefined(value)) run_.fail(undefined_message(value));
    const std::vector<Value> items = items_of(run_, value);
    if (items.size() != targets.size())
      run_.fail("expected " + std::to_string(targets.size()) + " values, found " +
                std::to_string(items.size()));
    for (size_t i = 0; i < items.size(); ++i) assign(targets[i], items[i], scope);
  }

  void assign(const Target& target, const Value& value, Scope& scope) {
    const Sequence* sequence = as_sequence(value);
    // Whoever reads it first would empty it for the next.
    if (sequence != nullptr && sequence->kind == SequenceKind::kStream)
      run_.fail("an iterator in a variable is not supported; `| list` makes a list of it");
    if (target.attribute.empty()) {
      scope.variables[target.name] = value;
      return;
    }
    const Value space = variable(target.name, scope);
    if (!std::holds_alternative<Namespace*>(space))
      run_.fail("'" + target.name + "' is no namespace");
    std::get<Namespace*>(space)->attributes[target.attribute] = value;
  }

  Value variable(const std::string& name, const Scope& scope) const {
    for (const Scope* at = &scope; at != nullptr; at = at->outer) {
      const auto found = at->variables.find(name);
      if (found != at->variables.end()) return found->second;
    }
    return global(run_, context_, name);
  }

  Value evaluate(const Expression& expression, const Scope& scope) {
    const Level level(run_, evaluations_, kMaxEvaluations);
    run_.at_line(expression.line);
    run_.spend(1);
    switch (expression.kind) {
      case Kind::kConstant:
        return expression.value;
      case Kind::kName:
        return variable(expression.name, scope);
      case Kind::kList:
        return sequence_value(run_, SequenceKind::kList, operands(expression, 0, scope));
      case Kind::kTuple:
        return sequence_value(run_, SequenceKind::kTuple, operands(expression, 0, scope));
      case Kind::kDict:
        return dict(expression, scope);
      case Kind::kNot:
        return !truth(operand(expression, 0, scope));
      case Kind::kNegative:
        return negated(run_, operand(expression, 0, scope));
      case Kind::kPositive:
        return arithmetic(run_, Operator::kAdd, int64_t{0}, operand(expression, 0, scope));
      case Kind::kAnd:
      case Kind::kOr: {
        Value left = operand(expression, 0, scope);
        const bool is_decided = truth(left) == (expression.kind == Kind::kOr);
        return is_decided ? left : operand(expression, 1, scope);
      }
      case Kind::kCondition:
        if (truth(operand(expression, 0, scope))) return operand(expression, 1, scope);
        return expression.operands[2] ? operand(expression, 2, scope) : Value(Undefined{});
      case Kind::kLoop:
        return loop_attribute(expression, scope);
      case Kind::kCall:
        return call(expression, scope);
      case Kind::kRefused:
        run_.fail(expression.name);
      default:
        return operation(expression, scope);
    }
  }

  /// What computes all its operands first.
  Value operation(const Expression& expression, const Scope& scope) {
    switch (expression.kind) {
      case Kind::kArithmetic: {
        const Value left = operand(expression, 0, scope), right = operand(expression, 1, scope);
        run_.at_line(expression.line);
        return arithmetic(run_, expression.operators[0], left, right);
      }
      case Kind::kCompare:
        return comparison(expression, scope);
      case Kind::kConcat:
        return join_items(run_, "", operands(expression, 0, scope));
      case Kind::kAttribute:
        return attribute(run_, operand(expression, 0, scope), expression.name);
      case Kind::kItem: {
        const Value object = operand(expression, 0, scope), key = operand(expression, 1, scope);
        const Expression& written = *expression.operands[1];
        const bool is_literal = written.kind == Kind::kConstant;
        return item(run_, object, key, is_literal ? as_text(written.value) : nullptr);
      }
      case Kind::kSlice: {
        const Value object = operand(expression, 0, scope);
        const auto bound = [&](size_t index) {
          return expression.operands[index] ? operand(expression, index, scope) : Value(None{});
        };
        const Value begin = bound(1), end = bound(2), step = bound(3);
        return slice(run_, object, begin, end, step);
      }
      case Kind::kMap:
      case Kind::kSelect:
        return over_items(expression, scope);
      default: {  // a filter, test or method
        const Value input = operand(expression, 0, scope);
        const auto arguments = optional_operands(expression, scope);
        run_.at_line(expression.line);
        return expression.builtin->apply(run_, input, arguments);
      }
    }
  }

  Value operand(const Expression& expression, size_t index, const Scope& scope) {
    return evaluate(*expression.operands[index], scope);
  }

  std::vector<Value> operands(const Expression& expression, size_t begin, const Scope& scope) {
    std::vector<Value> values;
    for (size_t i = begin; i < expression.operands.size(); ++i)
      values.push_back(operand(expression, i, scope));
    return values;
  }

  /// Those behind the first.
  std::vector<std::optional<Value>> optional_operands(const Expression& expression,
                                                      const Scope& scope) {
    std::vector<std::optional<Value>> values;
    for (size_t i = 1; i < expression.operands.size(); ++i) {
      values.emplace_back();
      if (expression.operands[i]) values.back() = operand(expression, i, scope);
    }
    return values;
  }

  std::vector<std::pair<Value, Value>> keywords(const Expression& expression, const Scope& scope) {
    std::vector<std::pair<Value, Value>> values;
    for (const auto& [name, value] : expression.keywords)
      values.emplace_back(text_value(name), evaluate(*value, scope));
    return values;
  }

  Value dict(const Expression& expression, const Scope& scope) {
    std::vector<std::pair<Value, Value>> entries;
    for (size_t i = 0; i < expression.operands.size(); i += 2) {
      Value key = operand(expression, i, scope);
      entries.emplace_back(std::move(key), operand(expression, i + 1, scope));
    }
    return dict_value(run_, entries);
  }

  bool comparison(const Expression& expression, const Scope& scope) {
    Value left = operand(expression, 0, scope);
    for (size_t i = 0; i < expression.operators.size(); ++i) {
      Value right = operand(expression, i + 1, scope);
      run_.at_line(expression.line);
      if (!compare(run_, expression.operators[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  Value loop_attribute(const Expression& expression, const Scope& scope) {
    const Scope* at = &scope;
    while (at != nullptr && at->loop == nullptr) at = at->outer;
    if (at == nullptr) run_.fail("'loop' is undefined");
    if (expression.name != "cycle") return at->loop->attribute(expression.name);
    const auto turn = static_cast<size_t>(at->loop->index0());
    return operands(expression, 0, scope)[turn % expression.operands.size()];
  }

  /// The filters map, select, reject and their like.
  Value over_items(const Expression& expression, const Scope& scope) {
    const Value input = operand(expression, 0, scope);
    if (!truth(input)) return sequence_value(run_, SequenceKind::kStream, {});  // even of none
    const std::vector<Value> items = items_of(run_, input);
    const auto arguments = optional_operands(expression, scope);
    const bool is_map = expression.kind == Kind::kMap;
    std::vector<Value> result;
    for (const Value& item : items) {
      Value value = expression.name.empty() ? item : named_item(run_, item, expression.name);
      if (expression.builtin != nullptr) value = expression.builtin->apply(run_, value, arguments);
      if (is_map) {
        result.push_back(std::move(value));
      } else if (truth(value) != expression.negate) {
        result.push_back(item);
      }
    }
    return sequence_value(run_, SequenceKind::kStream, std::move(result));
  }

  Value call(const Expression& expression, const Scope& scope) {
    const Value callee = operand(expression, 0, scope);
    if (const auto* macro = std::get_if<const Macro*>(&callee))
      return call_macro(**macro, expression, scope);
    if (!std::holds_alternative<Function>(callee))
      run_.fail(is_undefined(callee) ? undefined_message(callee)
                                     : kind_of(callee) + " cannot be called");
    const Function function = std::get<Function>(callee);
    if (function == Function::kRaiseException) {
      run_.at_line(expression.line);
      raise_exception(run_, expression);
    }
    const std::vector<Value> arguments = operands(expression, 1, scope);
    const auto named = keywords(expression, scope);
    run_.at_line(expression.line);
    Value result = call_function(run_, context_, function, arguments, named);
    return function == Function::kNamespace ? new_namespace(*as_dict(result)) : result;
  }

  Value new_namespace(const Dict& attributes) {
    Namespace& space = namespaces_.emplace_back();
    for (const auto& [name, value] : attributes.entries) space.attributes[*as_text(name)] = value;
    return &space;
  }

  Value call_macro(const Macro& macro, const Expression& expression, const Scope& scope) {
    const Level level(run_, macros_, kMaxDepth);
    if (expression.operands.size() - 1 > macro.parameters.size())
      run_.fail("macro '" + macro.name + "' is given too many arguments");
    Scope inner{.outer = &root_};
    std::map<std::string, Value> given;
    for (size_t i = 1; i < expression.operands.size(); ++i)
      given[macro.parameters[i - 1].first] = operand(expression, i, scope);
    for (const auto& [name, value] : expression.keywords) {
      if (!given.emplace(name, evaluate(*value, scope)).second)
        run_.fail("macro '" + macro.name + "' is given '" + name + "' twice");
    }
    for (const auto& [name, otherwise] : macro.parameters) {
      const auto found = given.find(name);
      if (found != given.end()) {
        assign({name, ""}, found->second, inner);
        given.erase(found);
      } else {
        inner.variables[name] = otherwise ? evaluate(*otherwise, inner) : Undefined{&name};
      }
    }
    if (!given.empty())
      run_.fail("macro '" + macro.name + "' has no parameter '" + given.begin()->first + "'");
    std::string out;
    execute(macro.body, inner, out);
    return text_value(run_, std::move(out));
  }

  const Context& context_;
  Run& run_;
  Scope root_;
  std::deque<Namespace> namespaces_;
  size_t evaluations_ = 0;  // levels of recursion
  size_t macros_ = 0;       // and how many of them are calls of macros
};

}  // namespace

std::string render(const Block& program, const Context& context, Run& run) {
  return Interpreter(context, run).render(program);
}

}  // namespace prescript::jinja
