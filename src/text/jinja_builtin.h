#pragma once
// Filters, tests and methods: what each takes, so that the parser can put arguments in their
// places.

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "text/jinja_value.h"

namespace prescript::jinja {

/// One for each parameter; absent where the template gives none.
using Arguments = std::span<const std::optional<Value>>;

/// What stands behind `|`, `is` or `.`. A test gives a boolean.
struct Builtin {
  std::string_view name;
  std::vector<std::string_view> parameters;
  size_t num_required;  // the first of them
  Value (*apply)(Run& run, const Value& input, Arguments arguments);
};

/// Null for a name that is not supported.
const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
const Builtin* find_method(std::string_view name);

}  // namespace prescript::jinja
