#include "io/xml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::HasSubstr;

XmlElement parse(std::string_view text, const XmlLimits& limits = {}) {
  return parse_xml(text, "a.xml", ExitCode::kData, limits);
}

std::string error_of(std::string_view text, const XmlLimits& limits = {}) {
  try {
    parse(text, limits);
  } catch (const InputError& error) {
    EXPECT_EQ(error.code(), ExitCode::kData);
    return error.what();
  }
  return "no error";
}

TEST(Xml, IsElementsWithAttributesAndText) {
  const XmlElement root = parse(
      "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- & -->\n"
      "<a x=\"1 &amp; 2\">one<b/>\n<b y='&#xe9;'>&lt;two&gt; <![CDATA[& <three> &nbsp;]]></b></a>");
  EXPECT_EQ(root.name, "a");
  EXPECT_EQ(root.place, "a.xml:3");
  EXPECT_EQ(root.attributes.at("x"), "1 & 2");
  EXPECT_EQ(root.text, "one");
  ASSERT_EQ(root.children.size(), 2u);
  EXPECT_EQ(root.find("b"), &root.children[0]);
  EXPECT_EQ(root.find("c"), nullptr);
  EXPECT_EQ(root.children[1].place, "a.xml:4");
  EXPECT_EQ(root.children[1].attributes.at("y"), "\u00e9");
  EXPECT_EQ(root.children[1].text, "<two> & <three> &nbsp;");
}

TEST(Xml, ADoctypeIsRefused) {
  EXPECT_THAT(error_of("<!DOCTYPE a [<!ENTITY b \"boom\">]><a/>"), HasSubstr("DOCTYPE"));
  EXPECT_THAT(error_of("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"), HasSubstr("DOCTYPE"));
}

TEST(Xml, AnUnknownEntityIsRefused) {
  for (const char* text : {"<a>&b;</a>", "<a>x & y</a>", "<a b='&nbsp;'/>", "<a>&#xZ;</a>"}) {
    EXPECT_THAT(error_of(text), HasSubstr("entity")) << text;
  }
  EXPECT_THAT(error_of("<a>\n\n  &b;</a>"), HasSubstr("a.xml:3:3: "));
}

TEST(Xml, WhatIsNotWellFormedIsRefused) {
  for (const char* text : {"",
                           "text",
                           "<a>",
                           "<a></b>",
                           "<a",
                           "<a b></a>",
                           "<a/><a/>",
                           "<a x='1' x='2'/>",
                           "<a>\xff</a>",
                           "<a><![CDATA[</a>"}) {
    EXPECT_THAT(error_of(text), HasSubstr("a.xml:")) << text;
  }
}

TEST(Xml, LimitsHold) {
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "<a>";
  for (int i = 0; i < 200000; ++i) deep += "</a>";
  EXPECT_THAT(error_of(deep), HasSubstr("nested deeper than 64"));
  EXPECT_THAT(error_of("<a></a>", {.max_bytes = 6}), HasSubstr("at most 6"));
}

}  // namespace
}  // namespace prescript
