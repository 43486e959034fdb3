#pragma once
// What a browser packs into paths, queries and forms.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// The segments of a path, decoded: "/a%20b/c" -> {"a b", "c"}, "/" -> {}. Nothing for a path that
/// is not absolute or is badly encoded, or has a segment that is empty, "." or "..", or holds a
/// slash, a backslash or a control character: no path leads anywhere but down.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

/// The fields of a query or of a body in application/x-www-form-urlencoded. Nothing where it is
/// badly encoded, a name comes twice or there are more than 256 fields. Values are any bytes.
std::optional<std::map<std::string, std::string>> parse_form(std::string_view text);

/// The value of a cookie in a Cookie header, or "".
std::string cookie_value(std::string_view header, std::string_view name);

}  // namespace prescript
