#pragma once
// The adapters that a command line names.

#include <string>
#include <vector>

namespace prescript {

/// One --adapter [NAME=]DIR.
struct AdapterArgument {
  std::string name;
  std::string dir;
};

/// Splits the values of --adapter. NAME defaults to the folder's name, or to its parent's where the
/// folder is called `adapter`, as a run leaves it. A '=' behind a '/' belongs to the path. Throws
/// InputError(kUsage) for an empty name or directory and for a name that comes twice.
std::vector<AdapterArgument> read_adapter_arguments(const std::vector<std::string>& values);

}  // namespace prescript
