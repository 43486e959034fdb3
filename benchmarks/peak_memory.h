#pragma once
// The peak resident memory of this process, as a worker of scripts/bench reports it.

#include <fstream>
#include <string>

namespace prescript {

/// In KiB, since the program began or forget_peak().
inline long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

inline void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace prescript
