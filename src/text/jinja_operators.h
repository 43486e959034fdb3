#pragma once
// Operators, attributes, items and slices of a chat template, with Python's meaning.

#include <optional>
#include <string>

#include "text/jinja_value.h"

namespace prescript::jinja {

enum class Operator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

/// Whole numbers are 64 bits wide; a larger result fails.
Value arithmetic(Run& run, Operator op, const Value& left, const Value& right);
Value negated(Run& run, const Value& value);
bool compare(Run& run, Operator op, const Value& left, const Value& right);

/// `object.name` and `object[key]`: an undefined value where there is none. Fails for an undefined
/// object, and where Python would give one of its methods, which are not values here. `name` is
/// what messages call the result; it must outlive it, and is null where the template computes it.
Value attribute(Run& run, const Value& object, const std::string& name);
Value item(Run& run, const Value& object, const Value& key, const std::string* name);

/// `object[begin:end:step]`, each of them none or a whole number.
Value slice(Run& run, const Value& object, const Value& begin, const Value& end, const Value& step);

}  // namespace prescript::jinja
