#include "http/form.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

using Segments = std::vector<std::string>;
using Fields = std::map<std::string, std::string>;

TEST(Form, PathsLeadDown) {
  EXPECT_EQ(path_segments("/"), Segments{});
  EXPECT_EQ(path_segments("/rater/R7/5"), (Segments{"rater", "R7", "5"}));
  EXPECT_EQ(path_segments("/a%20b/%c3%A4+"), (Segments{"a b", "ä+"}));
  for (const char* path : {"",
                           "a",
                           "/..",
                           "/a/../b",
                           "/%2e%2e/etc/passwd",
                           "/a/.",
                           "//a",
                           "/a//b",
                           "/a/",
                           "/a%2fb",
                           "/a%5Cb",
                           "/a%00",
                           "/%0a",
                           "/%",
                           "/%4",
                           "/%zz"}) {
    EXPECT_FALSE(path_segments(path)) << path;
  }
}

TEST(Form, FieldsAreDecoded) {
  EXPECT_EQ(parse_form(""), Fields{});
  EXPECT_EQ(parse_form("a=1&b=x+y%26z%3d&c=&d"),
            (Fields{{"a", "1"}, {"b", "x y&z="}, {"c", ""}, {"d", ""}}));
  EXPECT_EQ(parse_form("a=%ff"), (Fields{{"a", "\xff"}}));
  EXPECT_EQ(parse_form("a=1=2"), (Fields{{"a", "1=2"}}));
}

TEST(Form, BadFormsAreRefused) {
  EXPECT_FALSE(parse_form("a=%"));
  EXPECT_FALSE(parse_form("a=%4"));
  EXPECT_FALSE(parse_form("%zz=1"));
  EXPECT_FALSE(parse_form("a=1&a=2"));
  std::string many;
  for (int i = 0; i < 257; ++i) many += "f" + std::to_string(i) + "=&";
  EXPECT_FALSE(parse_form(many));
}

TEST(Form, CookiesAreFoundByTheirWholeName) {
  EXPECT_EQ(cookie_value("a=1; key=abc; b=2", "key"), "abc");
  EXPECT_EQ(cookie_value("key=abc", "key"), "abc");
  EXPECT_EQ(cookie_value("monkey=abc; keys=2", "key"), "");
  EXPECT_EQ(cookie_value("", "key"), "");
}

}  // namespace
}  // namespace prescript
