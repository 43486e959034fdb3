#pragma once
// Parses chat templates.

#include <string>

#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// Throws InputError(kModel) "place:line: ..." for a syntax error and for what is not supported. As
/// in Jinja, an unknown filter or test under a condition or in a macro only fails when it is
/// reached: templates need it for tools.
Block parse(const std::string& source, const std::string& place);

}  // namespace prescript::jinja
