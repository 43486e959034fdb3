#pragma once
// Finds the filter, test or method of a call, and puts its arguments into the order of parameters.

#include <optional>
#include <string>

#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// operands[0] is the input; other operands and the keywords are the arguments as they are written.
/// Returns what is not supported, or nothing.
std::optional<std::string> bind_filter(Expression& call, const std::string& name);
std::optional<std::string> bind_test(Expression& call, const std::string& name);
std::optional<std::string> bind_method(Expression& call, const std::string& name);

}  // namespace prescript::jinja
