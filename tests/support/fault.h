#pragma once
// The environment that makes a program run under the fault shim (tests/support/fault_shim.cc says
// what each value means). The including target defines PRESCRIPT_FAULT_SHIM, the library's path.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace prescript {

struct Fault {
  std::string root = {};                     // only calls on this folder or below it count
  std::string calls = "write,fsync,rename";  // the classes of calls that count
  int at = 0;                                // which counted call fails; 0: none
  std::string kind = "kill";                 // kill | torn | enospc | eio
  std::string log = {};                      // gets one line per counted call; empty: none
};

/// For ProcessOptions::environment.
inline std::map<std::string, std::optional<std::string>> fault_environment(const Fault& fault) {
  return {{"LD_PRELOAD", PRESCRIPT_FAULT_SHIM},
          {"FAULT_ROOT", std::filesystem::canonical(fault.root).string()},
          {"FAULT_CALLS", fault.calls},
          {"FAULT_AT", std::to_string(fault.at)},
          {"FAULT_KIND", fault.kind},
          {"FAULT_LOG", fault.log},
          // The shim comes before the sanitizer's library, which it does not disturb.
          {"ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0"}};
}

}  // namespace prescript
