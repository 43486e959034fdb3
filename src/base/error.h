#pragma once
// The exceptions of the project: one for each party that can err. Only cli/main catches them.

#include <stdexcept>
#include <string>

namespace prescript {

/// Exit codes of the program; part of its public contract (docs/ARCHITECTURE.md).
enum class ExitCode : int {
  kDone = 0,
  kBug = 1,          // ours: ContractError or an unknown exception
  kUsage = 2,        // command line, recipe, occupied output directory
  kData = 3,         // exemplars, inputs
  kModel = 4,        // base model or adapter
  kResources = 5,    // out of memory or disk
  kNotFinite = 6,    // a loss or gradient that is not a number
  kDistributed = 7,  // several processes
  kPreempted = 75,   // stopped by a signal; can resume (EX_TEMPFAIL)
};

/// The user's mistake. `what()` names the place, what was found, what is allowed and the remedy,
/// e.g. "recipes/a.yaml:14:3: training.steps: 0 is not in [1, 1000000]; use a positive number".
/// `code` is the exit code of the kind of input that is wrong: kUsage, kData or kModel.
class InputError : public std::runtime_error {
 public:
  InputError(ExitCode code, const std::string& message)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// The caller's mistake: a violated requirement between our own components. Exit code 1.
class ContractError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// The machine's failure: memory, disk, device. `what()` holds the expression or path that failed.
class DeviceError : public std::runtime_error {
 public:
  explicit DeviceError(const std::string& message, ExitCode code = ExitCode::kResources)
      : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Throws ContractError with the failed expression, its place and `message`.
[[noreturn]] void throw_contract_error(const char* expression,
                                       const char* file,
                                       int line,
                                       const std::string& message);

}  // namespace prescript

/// Checks a requirement of the callee. The message (a std::string expression) is only built on
/// failure.
#define PRESCRIPT_CHECK(predicate, message)                                         \
  do {                                                                              \
    if (!(predicate))                                                               \
      ::prescript::throw_contract_error(#predicate, __FILE__, __LINE__, (message)); \
  } while (false)
