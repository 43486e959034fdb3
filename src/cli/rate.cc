// prescript rate: people judge answers, rank checkpoints, write and review exemplars.

#include "cli/rate.h"

#include <CLI/CLI.hpp>

#include "adapter/adapter_files.h"
#include "base/error.h"
#include "base/hash.h"
#include "io/quote.h"

namespace prescript {

void add_rate(CLI::App& program, Action& action) {
  CLI::App* rate = program.add_subcommand(
      "rate", "Let people judge answers, rank checkpoints, write and review exemplars");
  rate->require_subcommand(1);
  rate->footer(
      "A study: rate init draws and blinds answers, rate serve gives raters a page on this "
      "computer,\n"
      "rate report says what they found. docs/EVALUATION.md walks through one.");
  add_rate_init(*rate, action);
  add_rate_author(*rate, action);
  add_rate_serve(*rate, action);
  add_rate_files(*rate, action);
  add_rate_report(*rate, action);
}

std::string adapter_hash(const std::string& dir) {
  Sha256 hash;
  for (const auto& [name, bytes] : adapter_files(read_adapter(dir))) {
    hash.update(name + " " + std::to_string(bytes.size()) + "\n");
    hash.update(bytes);
  }
  return hash.hex();
}

NamedValue read_named_value(const std::string& option, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw InputError(ExitCode::kUsage,
                     option + ": found " + quote(text) + "; write NAME=PATH, both not empty");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace prescript
