#pragma once
// The lines of a JSONL file.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace prescript {

/// Calls `line(text, number)` for each line that is not blank, numbers from 1. A byte-order mark is
/// left out. Throws InputError(kData) for UTF-16.
void for_each_jsonl_line(std::string_view bytes,
                         const std::string& path,
                         const std::function<void(std::string_view, size_t)>& line);

}  // namespace prescript
