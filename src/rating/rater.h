#pragma once
// The people at the page, known by codes alone.

#include <string>
#include <string_view>

namespace prescript {

/// A code as it is kept: 1 to 32 letters, digits, '-' or '_', letters made capital, so that "r7"
/// and "R7" are one person. "" for anything else.
std::string rater_code(std::string_view text);

inline constexpr const char* kRaterCodeRule = "1 to 32 letters, digits, - or _";

/// This moment in UTC: "2026-11-27T17:40:00Z".
std::string utc_now();

/// Whether `text` is spelled like that.
bool is_utc_time(std::string_view text);

}  // namespace prescript
