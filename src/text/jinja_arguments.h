#pragma once
// Arguments of filters and methods as C++ values, and what filters and methods share.

#include <optional>
#include <string>

#include "text/jinja_builtin.h"

namespace prescript::jinja {

/// The argument as a string or whole number; nothing where it is absent or none. Fails for another
/// kind.
std::optional<std::string> text_argument(Run& run, const std::optional<Value>& argument);
std::optional<int64_t> whole_argument(Run& run, const std::optional<Value>& argument);

/// str.replace; `count` below 0 replaces all.
Value replaced(Run& run,
               const std::string& text,
               const std::string& old_text,
               const std::string& new_text,
               int64_t count);

/// Python's upper(), lower() and capitalize(), of ASCII: fails for other text, whose cases depend
/// on Unicode's tables.
Value upper_case(Run& run, const std::string& text);
Value lower_case(Run& run, const std::string& text);
Value capitalized(Run& run, const std::string& text);

/// `value[name]` as filters look attributes up. A path of several names is not supported.
Value named_item(Run& run, const Value& value, const std::string& name);

/// str.join of str() of the items.
Value join_items(Run& run, const std::string& separator, const std::vector<Value>& items);

}  // namespace prescript::jinja
