#include "rating/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(DeskPages, PagesLoadNothingFromElsewhere) {
  const HttpResponse page = page_response(200, "A <title>", "<main></main>");
  EXPECT_THAT(page.body, HasSubstr("<title>A &lt;title&gt;</title>"));
  std::string policy;
  for (const auto& [name, value] : page.headers) {
    if (name == "Content-Security-Policy") policy = value;
  }
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  for (const char* text : {kDeskStyle, kDeskScript, page.body.c_str()}) {
    EXPECT_THAT(text, Not(HasSubstr("http:")));
    EXPECT_THAT(text, Not(HasSubstr("https:")));
    EXPECT_THAT(text, Not(HasSubstr("@import")));
  }
}

}  // namespace
}  // namespace prescript
