#pragma once
// Regular expressions of tokenizer.json, which are written for Oniguruma, in PCRE2's syntax.

#include <string>
#include <string_view>

namespace prescript {

/// Rewrites an Oniguruma pattern (Ruby syntax, UTF-8) to one that matches the same under PCRE2_UTF.
/// Understood are literals, `.`, classes, \p{..} of the categories in text/unicode_categories.h,
/// \s, \d, \S and \D outside of classes, \r, \n, \t, \uHHHH, \x{H..}, groups, look-around, (?i:..),
/// alternation and quantifiers. Throws InputError(kModel) "place: ..." naming anything else:
/// several constructs look alike in both and mean different things (^, $, \h, {n}?, {n}+, \w).
std::string pcre2_pattern(std::string_view pattern, const std::string& place);

}  // namespace prescript
