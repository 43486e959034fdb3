#pragma once
// Attributes, items and slices of a chat template's values.

#include <string>

#include "text/jinja_value.h"

namespace prescript::jinja {

/// `object.name` and `object[key]`: an undefined value where there is none. Fails for an undefined
/// object, and where Python would give one of its methods, which are not values here. `name` is
/// what messages call the result; it must outlive it, and is null where the template computes it.
Value attribute(Run& run, const Value& object, const std::string& name);
Value item(Run& run, const Value& object, const Value& key, const std::string* name);

/// `object[begin:end:step]`, each of them none or a whole number.
Value slice(Run& run, const Value& object, const Value& begin, const Value& end, const Value& step);

}  // namespace prescript::jinja
