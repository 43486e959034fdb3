#pragma once
// The sets of characters that pre-tokenisers split at, as `tokenizers` knows them. PCRE2's own
// tables are of another Unicode version, and its \s holds U+180E besides.

#include <optional>
#include <string>
#include <string_view>

namespace prescript {

/// The inside of a PCRE2 character class that holds the general category (`L`, `Lu`, `Ll`, `Lt`,
/// `Lm`, `Lo`, `M`, `N`, `Nd`, `P`, `S`); nothing for another name.
std::optional<std::string> category_set(std::string_view category);

/// The same for what the Digits pre-tokeniser calls a digit (Rust's char::is_numeric: category N).
std::string numeric_set();

/// A PCRE2 pattern of what the Punctuation pre-tokeniser cuts at: ASCII's punctuation, and what
/// Unicode 7 calls so.
std::string punctuation_pattern();

/// The inside of a class for \s.
std::string white_space_set();

}  // namespace prescript
