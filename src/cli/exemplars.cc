// prescript exemplars: what is done with exemplars before anything is trained.

#include "cli/exemplars.h"

#include <CLI/CLI.hpp>

namespace prescript {

void add_exemplars(CLI::App& program, Action& action) {
  CLI::App* command = program.add_subcommand("exemplars", "Check exemplars, and import others'");
  command->footer("prescript exemplars COMMAND --help tells more about a command.");
  command->require_subcommand(1);
  add_exemplars_check(*command, action);
  add_exemplars_import(*command, action);
}

}  // namespace prescript
