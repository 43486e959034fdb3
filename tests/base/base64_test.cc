#include "base/base64.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

using namespace std::string_literals;

TEST(Base64, SpellsTheBytesOfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(bytes_of_base64(""), "");
  EXPECT_EQ(bytes_of_base64("Zg=="), "f");
  EXPECT_EQ(bytes_of_base64("Zm8="), "fo");
  EXPECT_EQ(bytes_of_base64("Zm9v"), "foo");
  EXPECT_EQ(bytes_of_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(bytes_of_base64("AAD+/w=="), "\x00\x00\xfe\xff"s);
}

TEST(Base64, WhatIsNotBase64IsNothing) {
  for (const char* text : {"Z",
                           "Zg",
                           "Zg=",
                           "Zg===",
                           "====",
                           "Z===",
                           "Zg==Zg==",
                           "Zm=v",
                           "Zm9v\n",
                           " Zm9",
                           "Zm9v ",
                           "Zm-v",
                           "Zm9*",
                           "Zm9\xc3"}) {
    EXPECT_EQ(bytes_of_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace prescript
