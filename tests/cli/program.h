#pragma once
// The program itself, run as a user runs it.

#include <string>
#include <vector>

#include "support/run_process.h"

namespace prescript {

/// Runs `prescript` with these arguments. Its cache of base hashes is `directory`, when given.
inline ProcessResult run_prescript(std::vector<std::string> arguments,
                                   ProcessOptions options = {}) {
  options.arguments = std::move(arguments);
  options.arguments.insert(options.arguments.begin(), PRESCRIPT_PROGRAM);
  options.environment.try_emplace("OMP_NUM_THREADS", "1");
  options.environment.try_emplace("WORLD_SIZE", std::nullopt);
  return run_process(options);
}

/// Runs it through a shell, `arguments` being shell text behind the program's name.
inline ProcessResult run_prescript_in_shell(const std::string& arguments) {
  ProcessOptions options;
  options.arguments = {
      "/bin/sh", "-c", std::string("exec '") + PRESCRIPT_PROGRAM + "' " + arguments};
  return run_process(options);
}

}  // namespace prescript
