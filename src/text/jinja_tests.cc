#include <algorithm>
#include <iterator>

#include "text/jinja_builtin.h"
#include "text/jinja_operators.h"

namespace prescript::jinja {
namespace {

template <Operator op>
Value compared(Run& run, const Value& input, Arguments arguments) {
  return compare(run, op, input, *arguments[0]);
}

template <typename... Types>
Value holds(Run&, const Value& input, Arguments) {
  return (std::holds_alternative<Types>(input) || ...);
}

template <bool expected>
Value is_constant(Run&, const Value& input, Arguments) {
  const bool* flag = std::get_if<bool>(&input);
  return flag != nullptr && *flag == expected;
}

Value is_defined(Run&, const Value& input, Arguments) {
  return !is_undefined(input);
}

Value is_string(Run&, const Value& input, Arguments) {
  return as_text(input) != nullptr;
}

Value is_mapping(Run&, const Value& input, Arguments) {
  return as_dict(input) != nullptr;
}

/// Whatever has a length and items: Python's strings and dicts too, and what is undefined.
Value is_sequence(Run&, const Value& input, Arguments) {
  const Sequence* sequence = as_sequence(input);
  return as_text(input) != nullptr || as_dict(input) != nullptr || is_undefined(input) ||
         (sequence != nullptr && sequence->kind <= SequenceKind::kRange);
}

Value is_iterable(Run&, const Value& input, Arguments) {
  return as_text(input) != nullptr || as_dict(input) != nullptr || is_undefined(input) ||
         as_sequence(input) != nullptr;
}

Value is_divisible(Run& run, const Value& input, Arguments arguments) {
  return compare(
      run, Operator::kEqual, arithmetic(run, Operator::kModulo, input, *arguments[0]), int64_t{0});
}

Value is_even(Run& run, const Value& input, Arguments) {
  const std::optional<Value> two = int64_t{2};
  return is_divisible(run, input, Arguments(&two, 1));
}

Value is_odd(Run& run, const Value& input, Arguments) {
  return !std::get<bool>(is_even(run, input, {}));
}

const Builtin kTests[] = {
    {"defined", {}, 0, is_defined},
    {"undefined", {}, 0, holds<Undefined>},
    {"none", {}, 0, holds<None>},
    {"boolean", {}, 0, holds<bool>},
    {"integer", {}, 0, holds<int64_t>},
    {"float", {}, 0, holds<double>},
    {"number", {}, 0, holds<bool, int64_t, double>},
    {"true", {}, 0, is_constant<true>},
    {"false", {}, 0, is_constant<false>},
    {"string", {}, 0, is_string},
    {"mapping", {}, 0, is_mapping},
    {"sequence", {}, 0, is_sequence},
    {"iterable", {}, 0, is_iterable},
    {"callable", {}, 0, holds<Undefined, const Macro*, Function>},
    {"even", {}, 0, is_even},
    {"odd", {}, 0, is_odd},
    {"divisibleby", {"num"}, 1, is_divisible},
    {"in", {"seq"}, 1, compared<Operator::kIn>},
    {"equalto", {"other"}, 1, compared<Operator::kEqual>},
    {"eq", {"other"}, 1, compared<Operator::kEqual>},
    {"==", {"other"}, 1, compared<Operator::kEqual>},
    {"ne", {"other"}, 1, compared<Operator::kNotEqual>},
    {"!=", {"other"}, 1, compared<Operator::kNotEqual>},
    {"lt", {"other"}, 1, compared<Operator::kLess>},
    {"lessthan", {"other"}, 1, compared<Operator::kLess>},
    {"<", {"other"}, 1, compared<Operator::kLess>},
    {"le", {"other"}, 1, compared<Operator::kLessEqual>},
    {"<=", {"other"}, 1, compared<Operator::kLessEqual>},
    {"gt", {"other"}, 1, compared<Operator::kGreater>},
    {"greaterthan", {"other"}, 1, compared<Operator::kGreater>},
    {">", {"other"}, 1, compared<Operator::kGreater>},
    {"ge", {"other"}, 1, compared<Operator::kGreaterEqual>},
    {">=", {"other"}, 1, compared<Operator::kGreaterEqual>},
};

}  // namespace

const Builtin* find_test(std::string_view name) {
  const auto* found = std::find_if(
      std::begin(kTests), std::end(kTests), [&](const Builtin& test) { return test.name == name; });
  return found == std::end(kTests) ? nullptr : found;
}

}  // namespace prescript::jinja
