#include "text/jinja_globals.h"

#include <string_view>

#include "text/jinja_date.h"

namespace prescript::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // as Jinja's sandbox has it

constexpr std::pair<std::string_view, Function> kFunctions[] = {
    {"range", Function::kRange},
    {"namespace", Function::kNamespace},
    {"dict", Function::kDict},
    {"raise_exception", Function::kRaiseException},
    {"strftime_now", Function::kStrftimeNow},
};

/// Tokens that transformers gives to templates and that are not known here.
constexpr std::string_view kOtherTokens[] = {
    "unk_token", "pad_token", "sep_token", "cls_token", "mask_token", "additional_special_tokens"};

Value range(Run& run, const std::vector<Value>& arguments) {
  std::vector<int64_t> numbers;
  for (const Value& argument : arguments) {
    const int64_t* whole = std::get_if<int64_t>(&argument);
    if (whole == nullptr) run.fail("range takes whole numbers");
    numbers.push_back(*whole);
  }
  if (numbers.empty() || numbers.size() > 3) run.fail("range takes one to three numbers");
  if (numbers.size() == 1) numbers.insert(numbers.begin(), 0);
  if (numbers.size() == 2) numbers.push_back(1);
  const int64_t begin = numbers[0], end = numbers[1], step = numbers[2];
  if (step == 0) run.fail("range with step 0");
  std::vector<Value> items;
  int64_t at = begin;
  while (step > 0 ? at < end : at > end) {
    if (static_cast<int64_t>(items.size()) == kMaxRange)
      run.fail("a range of more than 100000 numbers");
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return sequence_value(run, SequenceKind::kRange, std::move(items));
}

/// The parts of an exception's message that stand in the template: the rest may be confidential.
void append_literals(const Expression& expression, std::string& message) {
  using Kind = Expression::Kind;
  if (expression.kind == Kind::kConstant && as_text(expression.value) != nullptr) {
    message += *as_text(expression.value);
  } else if (expression.kind == Kind::kConcat || expression.kind == Kind::kArithmetic) {
    for (const auto& part : expression.operands) append_literals(*part, message);
  } else {
    message += "...";
  }
}

}  // namespace

Value global(Run& run, const Context& context, const std::string& name) {
  const auto given = context.variables.find(name);
  if (given != context.variables.end()) return given->second;
  for (const auto& [own, function] : kFunctions) {
    if (own == name) return function;
  }
  for (const std::string_view token : kOtherTokens) {
    if (token == name) run.fail("the variable '" + name + "' is not supported");
  }
  return Undefined{&name};
}

Value call_function(Run& run,
                    const Context& context,
                    Function function,
                    const std::vector<Value>& arguments,
                    const std::vector<std::pair<Value, Value>>& named) {
  switch (function) {
    case Function::kRange:
      if (!named.empty()) run.fail("range takes no named arguments");
      return range(run, arguments);
    case Function::kStrftimeNow:
      if (arguments.size() != 1 || as_text(arguments[0]) == nullptr || !named.empty())
        run.fail("strftime_now takes a format");
      return text_value(run, format_date(run, *as_text(arguments[0]), context.date));
    default:  // namespace and dict
      if (!arguments.empty()) run.fail("values without names are not supported here");
      return dict_value(run, named);
  }
}

void raise_exception(const Run& run, const Expression& call) {
  std::string message;
  for (size_t i = 1; i < call.operands.size(); ++i) append_literals(*call.operands[i], message);
  run.fail("the chat template refuses the conversation: " + message);
}

}  // namespace prescript::jinja
