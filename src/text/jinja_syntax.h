#pragma once
// The syntax tree of a chat template.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_builtin.h"
#include "text/jinja_operators.h"
#include "text/jinja_value.h"

namespace prescript::jinja {

struct Expression;
/// The name, which no template can write, of what a captured block has written.
inline constexpr const char* kWritten = "";

using ExpressionPointer = std::unique_ptr<const Expression>;

struct Expression {
  /// Behind each kind: its operands (null where the template leaves one out), then what else it
  /// uses.
  enum class Kind {
    kConstant,    // value
    kName,        // name
    kList,        // items
    kTuple,       // items
    kDict,        // key, value, key, value, ...
    kNot,         // input
    kNegative,    // input
    kPositive,    // input
    kAnd,         // left, right
    kOr,          // left, right
    kArithmetic,  // left, right; operators[0]
    kCompare,     // n + 1 operands; n operators
    kConcat,      // parts
    kCondition,   // condition, then, else or null
    kAttribute,   // object; name
    kItem,        // object, key
    kSlice,       // object, begin or null, end or null, step or null
    kLoop,        // arguments of cycle; name: an attribute of the innermost loop
    kCall,        // callee, arguments; keywords
    kMethod,      // object, arguments; name, builtin
    kFilter,      // input, arguments; builtin
    kTest,        // input, arguments; builtin
    kMap,         // input, arguments of the filter; builtin, or name: the path of an attribute
    kSelect,      // input, arguments of the test; builtin or null; name: a path, or empty; negate
    kRefused,     // name: why it cannot be evaluated
  };

  Kind kind;
  size_t line;
  size_t depth = 1;  // of the tree below it
  std::vector<ExpressionPointer> operands{};
  std::string name{};
  Value value{};
  std::vector<Operator> operators{};
  std::vector<std::pair<std::string, ExpressionPointer>> keywords{};
  const Builtin* builtin = nullptr;
  bool negate = false;
};

/// A name, or an attribute of the namespace of that name.
struct Target {
  std::string name;
  std::string attribute;  // empty for a name
};

struct Statement;
using Block = std::vector<Statement>;

struct Branch {
  ExpressionPointer condition;  // null for else
  Block body;
};

/// `{% macro name(parameters) %}`. Macros stand outside of loops and other macros, so that they see
/// the template's own variables.
struct Macro {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPointer>> parameters;  // with defaults, or null
  Block body;
};

struct Statement {
  enum class Kind {
    kData,     // text
    kOutput,   // expression
    kIf,       // branches
    kFor,      // targets, expression, condition or null, body, branches[0]: else
    kSet,      // targets, expression
    kCapture,  // body, expression of what it writes, targets or (written) none
    kMacro,    // macro
    kScope,    // body
    kBreak,
    kContinue,
  };

  Kind kind;
  size_t line;
  std::string text{};
  ExpressionPointer expression{};
  ExpressionPointer condition{};
  std::vector<Target> targets{};
  Block body{};
  std::vector<Branch> branches{};
  std::unique_ptr<const Macro> macro{};
};

}  // namespace prescript::jinja
