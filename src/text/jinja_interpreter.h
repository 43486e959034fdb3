#pragma once
// Runs a parsed chat template.

#include <map>
#include <string>

#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// What a template is given.
struct Context {
  std::map<std::string, Value> variables;
  std::string date;  // of strftime_now, YYYY-MM-DD
};

/// What the template writes. Throws InputError(kModel) as ChatTemplate::render says.
std::string render(const Block& program, const Context& context, Run& run);

}  // namespace prescript::jinja
