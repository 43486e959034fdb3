#pragma once
// The subcommands of `prescript rate`, one a file.

#include <string>

#include "cli/commands.h"

namespace prescript {

void add_rate_init(CLI::App& rate, Action& action);
void add_rate_author(CLI::App& rate, Action& action);
void add_rate_serve(CLI::App& rate, Action& action);
void add_rate_files(CLI::App& rate, Action& action);   // form, export, import
void add_rate_report(CLI::App& rate, Action& action);  // report, select

/// SHA-256 of the adapter's files, which tells whether another one has taken its place. Throws
/// InputError(kModel) as read_adapter does.
std::string adapter_hash(const std::string& dir);

/// NAME=VALUE of an option: `--source base=answers.jsonl`.
struct NamedValue {
  std::string name;
  std::string value;
};

/// Throws InputError(kUsage) for a text without '=', an empty name or an empty value.
NamedValue read_named_value(const std::string& option, const std::string& text);

}  // namespace prescript
