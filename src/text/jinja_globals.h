#pragma once
// What a chat template finds without having set it: the variables it is given, and functions.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// What a template is given.
struct Context {
  std::map<std::string, Value> variables;
  std::string date;  // of strftime_now, YYYY-MM-DD
};

/// What `name` stands for where the template has not set it. The name must live as long as the
/// value. Fails for a variable that transformers gives and that is not known here.
Value global(Run& run, const Context& context, const std::string& name);

/// Any function but raise_exception. What namespace() gives is a dict of its attributes.
Value call_function(Run& run,
                    const Context& context,
                    Function function,
                    const std::vector<Value>& arguments,
                    const std::vector<std::pair<Value, Value>>& named);

/// raise_exception, with the parts of its message that stand in the template.
[[noreturn]] void raise_exception(const Run& run, const Expression& call);

}  // namespace prescript::jinja
