#pragma once
// The exception that a failed system call on a file becomes.

#include <string>

#include "base/error.h"

namespace prescript {

/// For a path that could not be opened: InputError(code) "path: action: reason" when the path
/// itself is at fault (absent, not permitted, a directory, ...), DeviceError otherwise (disk full,
/// input/output error).
[[noreturn]] void throw_open_error(const std::string& path,
                                   const std::string& action,
                                   int error_number,
                                   ExitCode code);

/// Whether there is something at `path`, be it a link to nothing. Throws as `throw_open_error` does
/// where that cannot be told: in a directory that may not be searched, say.
bool is_there(const std::string& path, ExitCode code);

/// For a file that was open: DeviceError "path: action: reason".
[[noreturn]] void throw_file_error(const std::string& path,
                                   const std::string& action,
                                   int error_number);

}  // namespace prescript
