#pragma once
// Where the project lies, for tests that read its files.

#include <cstdlib>
#include <string>

namespace prescript {

/// Where the tests were built, or what PRESCRIPT_SOURCE_DIR names on a machine to which only
/// programs and those files were copied.
inline std::string source_directory() {
  const char* const given = std::getenv("PRESCRIPT_SOURCE_DIR");
  return given != nullptr ? given : PRESCRIPT_SOURCE_DIR;
}

}  // namespace prescript
