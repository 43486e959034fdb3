#include "text/jinja_operators.h"

#include <algorithm>
#include <cmath>

#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

[[noreturn]] void fail_operands(Run& run, const Value& left, const Value& right) {
  if (is_undefined(left)) run.fail(undefined_message(left));
  if (is_undefined(right)) run.fail(undefined_message(right));
  run.fail("this operator does not take " + kind_of(left) + " and " + kind_of(right));
}

int64_t whole_power(Run& run, int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    run.spend(1);
    if (__builtin_mul_overflow(result, base, &result))
      run.fail("a whole number does not fit into 64 bits");
  }
  return result;
}

/// Python's // and % round towards minus infinity.
Value whole_arithmetic(Run& run, Operator op, int64_t left, int64_t right) {
  int64_t result = 0;
  bool overflows = false;
  switch (op) {
    case Operator::kAdd:
      overflows = __builtin_add_overflow(left, right, &result);
      break;
    case Operator::kSubtract:
      overflows = __builtin_sub_overflow(left, right, &result);
      break;
    case Operator::kMultiply:
      overflows = __builtin_mul_overflow(left, right, &result);
      break;
    case Operator::kPower:
      if (right < 0) return std::pow(static_cast<double>(left), static_cast<double>(right));
      return whole_power(run, left, right);
    default:
      if (right == 0) run.fail("division by zero");
      if (op == Operator::kDivide) return static_cast<double>(left) / static_cast<double>(right);
      overflows = left == INT64_MIN && right == -1;
      if (overflows) break;
      const int64_t remainder = left % right;
      const bool rounds_up = remainder != 0 && (remainder < 0) != (right < 0);
      if (op == Operator::kModulo) return rounds_up ? remainder + right : remainder;
      result = left / right - (rounds_up ? 1 : 0);
  }
  if (overflows) run.fail("a whole number does not fit into 64 bits");
  return result;
}

double float_arithmetic(Run& run, Operator op, double left, double right) {
  const bool divides =
      op == Operator::kDivide || op == Operator::kFloorDivide || op == Operator::kModulo;
  if (divides && right == 0) run.fail("division by zero");
  const double remainder = divides ? std::fmod(left, right) : 0;
  const bool rounds_up = remainder != 0 && (remainder < 0) != (right < 0);
  switch (op) {
    case Operator::kAdd:
      return left + right;
    case Operator::kSubtract:
      return left - right;
    case Operator::kMultiply:
      return left * right;
    case Operator::kDivide:
      return left / right;
    case Operator::kModulo:
      return rounds_up ? remainder + right : std::copysign(remainder, right);
    case Operator::kFloorDivide:
      return std::round((left - remainder) / right) - (rounds_up ? 1 : 0);
    default:
      run.fail("a power of a number with a fraction is not supported");
  }
}

Value repeated(Run& run, const Value& value, int64_t count) {
  const size_t times = count < 0 ? 0 : static_cast<size_t>(count);
  if (const std::string* text = as_text(value)) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(times, text->size(), &bytes)) bytes = SIZE_MAX;
    run.check_bytes(bytes);
    std::string result;
    for (size_t i = 0; i < times && !text->empty(); ++i) result += *text;
    return text_value(run, std::move(result));
  }
  const Sequence& sequence = *as_sequence(value);
  std::vector<Value> items;
  for (size_t i = 0; i < times && !sequence.items.empty(); ++i) {
    run.spend(sequence.items.size());
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return sequence_value(run, sequence.kind, std::move(items));
}

bool can_repeat(const Value& value) {
  const Sequence* sequence = as_sequence(value);
  return as_text(value) != nullptr ||
         (sequence != nullptr && sequence->kind <= SequenceKind::kTuple);
}

/// left + right of two strings, lists or tuples.
Value joined(Run& run, const Value& left, const Value& right) {
  const std::string* left_text = as_text(left);
  const std::string* right_text = as_text(right);
  if (left_text != nullptr && right_text != nullptr) {
    run.check_bytes(left_text->size() + right_text->size());
    return text_value(run, *left_text + *right_text);
  }
  const Sequence* left_list = as_sequence(left);
  const Sequence* right_list = as_sequence(right);
  if (left_list == nullptr || right_list == nullptr || left_list->kind != right_list->kind ||
      left_list->kind > SequenceKind::kTuple)
    fail_operands(run, left, right);
  run.spend(left_list->items.size() + right_list->items.size());
  std::vector<Value> items = left_list->items;
  items.insert(items.end(), right_list->items.begin(), right_list->items.end());
  return sequence_value(run, left_list->kind, std::move(items));
}

bool contains(Run& run, const Value& container, const Value& value) {
  if (const std::string* text = as_text(container)) {
    const std::string* part = as_text(value);
    if (part == nullptr) fail_operands(run, value, container);
    run.spend_bytes(text->size() + part->size());
    return find_text(*text, *part) != std::string_view::npos;
  }
  if (const Dict* dict = as_dict(container)) return find_entry(run, *dict, value) != nullptr;
  const std::vector<Value> items = items_of(run, container);
  return std::any_of(
      items.begin(), items.end(), [&](const Value& own) { return equal(run, own, value); });
}

/// -1, 0 or 1 as left is before, at or behind right.
int order(Run& run, const Value& left, const Value& right) {
  const auto sign = [](const auto& a, const auto& b) { return a < b ? -1 : b < a ? 1 : 0; };
  const std::string* left_text = as_text(left);
  const std::string* right_text = as_text(right);
  if (left_text != nullptr && right_text != nullptr) {
    run.spend_bytes(std::min(left_text->size(), right_text->size()));
    return sign(*left_text, *right_text);  // bytes of UTF-8 are in the order of the characters
  }
  const auto left_whole = as_whole(left), right_whole = as_whole(right);
  if (left_whole && right_whole) return sign(*left_whole, *right_whole);
  const auto left_number = as_number(left), right_number = as_number(right);
  if (left_number && right_number) return sign(*left_number, *right_number);
  fail_operands(run, left, right);
}

}  // namespace

Value arithmetic(Run& run, Operator op, const Value& left, const Value& right) {
  const auto left_whole = as_whole(left), right_whole = as_whole(right);
  if (left_whole && right_whole) return whole_arithmetic(run, op, *left_whole, *right_whole);
  const auto left_number = as_number(left), right_number = as_number(right);
  if (left_number && right_number) return float_arithmetic(run, op, *left_number, *right_number);
  if (op == Operator::kAdd) return joined(run, left, right);
  if (op == Operator::kMultiply && can_repeat(left) && right_whole)
    return repeated(run, left, *right_whole);
  if (op == Operator::kMultiply && can_repeat(right) && left_whole)
    return repeated(run, right, *left_whole);
  if (op == Operator::kModulo && as_text(left) != nullptr)
    run.fail("formatting with % is not supported");
  fail_operands(run, left, right);
}

Value negated(Run& run, const Value& value) {
  if (const double* number = std::get_if<double>(&value)) return -*number;
  return arithmetic(run, Operator::kSubtract, int64_t{0}, value);
}

bool compare(Run& run, Operator op, const Value& left, const Value& right) {
  switch (op) {
    case Operator::kEqual:
      return equal(run, left, right);
    case Operator::kNotEqual:
      return !equal(run, left, right);
    case Operator::kIn:
      return contains(run, right, left);
    case Operator::kNotIn:
      return !contains(run, right, left);
    case Operator::kLess:
      return order(run, left, right) < 0;
    case Operator::kLessEqual:
      return order(run, left, right) <= 0;
    case Operator::kGreater:
      return order(run, left, right) > 0;
    default:
      return order(run, left, right) >= 0;
  }
}

}  // namespace prescript::jinja
