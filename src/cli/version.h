#pragma once
// What this build is.

#include <string>

namespace prescript {

/// "0.1.0".
extern const char* const kVersion;
/// The commit it was built from, "-modified" behind it when files differed; "unknown" outside of
/// git.
extern const char* const kCommit;

/// The text of --version.
std::string describe_version();

}  // namespace prescript
