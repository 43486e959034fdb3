#pragma once
// Runs a parsed chat template.

#include <string>

#include "text/jinja_globals.h"
#include "text/jinja_syntax.h"

namespace prescript::jinja {

/// What the template writes. Throws InputError(kModel) as ChatTemplate::render says.
std::string render(const Block& program, const Context& context, Run& run);

}  // namespace prescript::jinja
