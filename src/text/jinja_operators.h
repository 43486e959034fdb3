#pragma once
// Operators of chat templates, with Python's meaning.

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

}  // namespace prescript::jinja
