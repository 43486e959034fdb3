#pragma once
// Runs a program as a user would, and holds what it left: the tests of commands, signals and
// faults.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace prescript {

/// What to run. `environment` is added to this process's; an empty optional removes a variable.
/// stdin is /dev/null. When `timeout` is over, the process gets SIGKILL and `timed_out` is set.
struct ProcessOptions {
  std::vector<std::string> arguments = {};  // the program's path first
  std::map<std::string, std::optional<std::string>> environment = {};
  std::string directory = {};  // the working directory; empty: this one
  std::chrono::milliseconds timeout{60'000};
  int signal = 0;  // sent once, `signal_after` the start
  std::chrono::milliseconds signal_after{0};
  std::string signal_on = {};  // or as soon as stdout or stderr contains this
};

struct ProcessResult {
  int exit_code = -1;  // -1 when a signal ended the process
  int signal = 0;      // the signal that ended it, or 0
  bool timed_out = false;
  std::string out;
  std::string err;
  std::chrono::milliseconds after_signal{0};  // how long it lived on after `signal` was sent
};

/// Runs to the end. A program that cannot be started ends with exit code 127. Throws
/// std::system_error when the machine gives no process or pipe.
ProcessResult run_process(const ProcessOptions& options);

}  // namespace prescript
