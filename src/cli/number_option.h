#pragma once
// Numbers of the command line, read as strictly as those of a recipe.

#include <string>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "io/quote.h"
#include "recipe/value_kind.h"

namespace prescript {

/// Declares an option whose value is of this kind: CLI11 itself takes an empty text for 0, and a
/// number that is too large for the largest one. Parsing throws InputError(kUsage) for anything
/// else. `number` must outlive the parsing.
template <typename T, typename Number>
CLI::Option* add_number_option(CLI::App& command,
                               const std::string& name,
                               Number& number,
                               const ValueKind<T>& kind,
                               const std::string& description) {
  return command.add_option_function<std::string>(
      name,
      [&number, name, kind](const std::string& text) {
        const auto value = kind.read({.kind = YamlValue::Kind::kScalar, .scalar = text});
        if (!value) {
          throw InputError(ExitCode::kUsage,
                           name + ": found " + quote(text) + "; allowed is " + kind.allowed);
        }
        number = *value;
      },
      description);
}

}  // namespace prescript
