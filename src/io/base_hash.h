#pragma once
// The identity of a base model: a hash of its weight files.

#include <string>
#include <vector>

namespace prescript {

/// SHA-256, as 64 hexadecimal digits: of the file's bytes for one file, of the files' hashes in the
/// order given for several. Hashing gigabytes takes seconds, so a file's hash is remembered in
/// $XDG_CACHE_HOME/prescript (or
/// ~/.cache/prescript) under its path, device, inode, size and times of change to the nanosecond; a
/// cache that cannot be read or written is no error. Throws InputError(kModel) when a file cannot
/// be read.
std::string base_hash(const std::vector<std::string>& paths);

}  // namespace prescript
