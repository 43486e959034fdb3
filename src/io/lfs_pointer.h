#pragma once
// What a clone without Git LFS holds in place of large files.

#include <string>
#include <string_view>

#include "base/error.h"

namespace prescript {

/// Throws InputError(code), naming the remedy, where the file at `path` begins as a pointer does.
void refuse_lfs_pointer(std::string_view bytes, const std::string& path, ExitCode code);

}  // namespace prescript
