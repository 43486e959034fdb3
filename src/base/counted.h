#pragma once
// Counts in messages.

#include <concepts>
#include <string>

namespace prescript {

/// "1 step", "2 steps".
std::string counted(std::integral auto count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

}  // namespace prescript
