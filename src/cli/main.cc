// prescript: instruction prompt tuning of frozen language models.

#include <cstdlib>
#include <filesystem>
#include <new>
#include <sstream>
#include <string>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace prescript {
namespace {

int fail(ExitCode code, const std::string& message) {
  write_message("prescript: " + message);
  return static_cast<int>(code);
}

constexpr const char* kOutOfMemory =
    "out of memory; close other programs, raise the limit (ulimit -v), lower training.memory_gb, "
    "or "
    "use a smaller model or input";

/// LibTorch and oneDNN say it in words of their own.
bool is_out_of_memory(const std::exception& error) {
  const std::string_view what = error.what();
  return what.find("can't allocate memory") != std::string_view::npos ||
         what.find("could not create a primitive") != std::string_view::npos;
}

/// Until several devices are built, more than one process would only do the same work twice.
void refuse_several_processes() {
  const char* const world_size = std::getenv("WORLD_SIZE");
  if (world_size == nullptr || *world_size == '\0' || std::string_view("1") == world_size) return;
  throw InputError(ExitCode::kDistributed,
                   std::string("WORLD_SIZE is '") + world_size +
                       "': training on several processes is not built yet; run one process "
                       "(unset WORLD_SIZE, or set it to 1)");
}

/// Reads the command line and does what it says.
int run(int argc, char** argv) {
  CLI::App program(
      "prescript aligns a frozen language model to a medical domain: it learns a soft prompt from\n"
      "clinician-written exemplars (instruction prompt tuning) and exports it as an adapter.");
  program.name("prescript");
  program.set_version_flag("--version", describe_version, "Print version and build, then exit");
  program.set_help_flag("-h,--help", "Print this help, then exit");
  program.require_subcommand(0, 1);
  program.footer(
      "prescript COMMAND --help tells more about a command.\n"
      "Exit codes: 0 done, 1 a bug, 2 usage or recipe, 3 data, 4 model or adapter, 5 out of "
      "memory\n"
      "or disk, 6 not a number, 7 distributed, 75 stopped by a signal, can resume.");
  Action action;
  add_train(program, action);
  add_generate(program, action);
  add_score(program, action);
  add_evaluate(program, action);
  add_exemplars(program, action);
  add_audit(program, action);
  add_export(program, action);
  add_tokenize(program, action);
  add_inspect(program, action);
  add_estimate(program, action);
  add_rate(program, action);
  add_validate(program, action);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // --help and --version too
    std::ostringstream out;
    std::ostringstream err;
    const int code = program.exit(error, out, err);
    std::string text = code == 0 ? out.str() : err.str();
    while (text.ends_with('\n')) text.pop_back();
    if (code != 0) return fail(ExitCode::kUsage, text);
    write_result(text);
    return 0;
  }
  if (!action) {
    throw InputError(ExitCode::kUsage, "which command? `prescript --help` lists them");
  }
  refuse_several_processes();
  return action();
}

}  // namespace
}  // namespace prescript

int main(int argc, char** argv) {
  using prescript::ExitCode;
  using prescript::fail;
  const std::string bug = "\nThis is a bug in prescript; please report it with the command line.";
  try {
    prescript::prepare_standard_streams();
    return prescript::run(argc, argv);
  } catch (const prescript::InputError& error) {
    return fail(error.code(), error.what());
  } catch (const prescript::DeviceError& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kResources, prescript::kOutOfMemory);
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(ExitCode::kResources, error.what());
  } catch (const std::exception& error) {
    if (prescript::is_out_of_memory(error))
      return fail(ExitCode::kResources, prescript::kOutOfMemory);
    return fail(ExitCode::kBug, error.what() + bug);
  }
}
