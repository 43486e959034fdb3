#pragma once
// One step of training that changes nothing.

#include <optional>
#include <string>

#include "cli/prepared_run.h"

namespace prescript {

/// Plans and takes the first step of every candidate and tells what it was. Writes nothing but,
/// where asked, the gradients. Throws InputError(kNotFinite) when a candidate's numbers are not
/// finite.
int dry_run(PreparedRun run, const std::optional<std::string>& gradient_path);

}  // namespace prescript
