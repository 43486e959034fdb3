#pragma once
// What a page's source consists of, read strictly.

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace prescript {

inline size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

/// A text with everything in it that could break out of where it stands.
inline const std::string kHostile =
    "</script></title></svg><script>alert(1)</script> \"q\" 'a' & &amp; \xff \x01 \x7f "
    "\u202e\u0645";

/// Expects that elements are closed in the order in which they were opened, attributes quoted, and
/// that "<" begins nothing but a tag; no element may run or load anything.
inline void expect_well_formed(const std::string& html) {
  static const std::regex tag_pattern(
      "<(/?)([a-zA-Z][a-zA-Z0-9]*)((?: [a-zA-Z][a-zA-Z0-9-]*(?:=\"[^\"<>]*\")?)*)(/?)>|<!DOCTYPE "
      "html>|<");
  const std::vector<std::string> no_content = {"meta", "wbr"};
  std::vector<std::string> open;
  for (std::sregex_iterator tag(html.begin(), html.end(), tag_pattern), end; tag != end; ++tag) {
    const std::string whole = tag->str(0);
    if (whole == "<!DOCTYPE html>") continue;
    ASSERT_NE(whole, "<") << "at " << html.substr(static_cast<size_t>(tag->position()), 80);
    const std::string name = tag->str(2);
    const std::string attributes = tag->str(3);
    EXPECT_TRUE(name != "script" && name != "img" && name != "link" && name != "iframe") << whole;
    EXPECT_EQ(attributes.find(" on"), std::string::npos) << whole;
    EXPECT_EQ(attributes.find(" src"), std::string::npos) << whole;
    if (std::count(no_content.begin(), no_content.end(), name) > 0 || tag->str(4) == "/") continue;
    if (tag->str(1).empty()) {
      open.push_back(name);
    } else {
      ASSERT_FALSE(open.empty()) << whole;
      ASSERT_EQ(open.back(), name)
          << "at " << html.substr(static_cast<size_t>(tag->position()), 80);
      open.pop_back();
    }
  }
  EXPECT_TRUE(open.empty()) << open.back() << " is never closed";
  EXPECT_EQ(html.find_first_of(std::string("\0\x01\x7f\r", 4)), std::string::npos);
}

/// The values of an attribute, in order.
inline std::vector<std::string> attributes(const std::string& html, const std::string& name) {
  const std::regex pattern(" " + name + "=\"([^\"]*)\"");
  std::vector<std::string> values;
  for (std::sregex_iterator match(html.begin(), html.end(), pattern), end; match != end; ++match)
    values.push_back(match->str(1));
  return values;
}

}  // namespace prescript
