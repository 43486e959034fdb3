#pragma once
// The commands of the program, one a file: each adds its options and says what it does with them.

#include <functional>

namespace CLI {
class App;
}

namespace prescript {

/// What remains to be done once the command line is read; returns the exit code.
using Action = std::function<int()>;

// Each declares a subcommand of `program`; parsing it sets `action`.
void add_train(CLI::App& program, Action& action);
void add_generate(CLI::App& program, Action& action);
void add_score(CLI::App& program, Action& action);
void add_evaluate(CLI::App& program, Action& action);
void add_exemplars(CLI::App& program, Action& action);
void add_audit(CLI::App& program, Action& action);
void add_export(CLI::App& program, Action& action);
void add_tokenize(CLI::App& program, Action& action);
void add_inspect(CLI::App& program, Action& action);
void add_estimate(CLI::App& program, Action& action);
void add_rate(CLI::App& program, Action& action);
void add_validate(CLI::App& program, Action& action);

}  // namespace prescript
