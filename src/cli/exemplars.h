#pragma once
// The commands below `prescript exemplars`, one a file.

#include "cli/commands.h"

namespace prescript {

void add_exemplars_check(CLI::App& exemplars, Action& action);
void add_exemplars_import(CLI::App& exemplars, Action& action);

}  // namespace prescript
