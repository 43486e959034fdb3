#pragma once
// The resident memory of this process, as a worker of scripts/bench reports it.

#include <filesystem>
#include <fstream>
#include <string>

namespace prescript {

/// The peak in KiB, since the program began or forget_peak().
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

/// Pages of a mapped file that are in the process now, in KiB.
inline long mapped_kib(const std::filesystem::path& path) {
  const std::string name = std::filesystem::canonical(path).filename().string();
  std::ifstream maps("/proc/self/smaps");
  long sum = 0;
  bool is_of_file = false;
  for (std::string line; std::getline(maps, line);) {
    const bool begins_mapping = line.find("kB") == std::string::npos && line.find('-') < 17;
    if (begins_mapping) is_of_file = line.ends_with("/" + name);
    if (is_of_file && line.starts_with("Rss:")) sum += std::stol(line.substr(4));
  }
  return sum;
}

}  // namespace prescript
