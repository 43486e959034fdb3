#include "rating/site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kKey = "00112233445566778899aabbccddeeff";
const std::string kCookie = std::string("prescript-study=") + kKey;

class EchoDesk : public Desk {
 public:
  std::string title() const override { return "Echo & more"; }
  std::string invitation() const override { return "Come in."; }
  HttpResponse respond(const std::string& rater,
                       std::span<const std::string> path,
                       const std::string& method,
                       const std::map<std::string, std::string>& form) override {
    if (path.size() == 1 && path[0] == "throw") throw std::runtime_error("the reason");
    std::string text = method + " " + rater;
    for (const std::string& segment : path) text += " " + segment;
    for (const auto& [name, value] : form) text += " " + name + "=" + value;
    return {.status = 200, .body = text};
  }
};

class SiteTest : public testing::Test {
 protected:
  HttpResponse get(const std::string& path,
                   const std::string& query = "",
                   const std::string& cookie = kCookie) {
    return site_.respond({.method = "GET",
                          .path = path,
                          .query = query,
                          .headers = {{"cookie", cookie}},
                          .body = ""});
  }
  HttpResponse post(const std::string& body,
                    const std::string& type = "application/x-www-form-urlencoded") {
    return site_.respond({.method = "POST",
                          .path = "/rater/R1/2",
                          .query = "",
                          .headers = {{"cookie", kCookie}, {"content-type", type}},
                          .body = body});
  }
  static std::string header(const HttpResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return "";
  }

  EchoDesk desk_;
  std::string reported_;
  Site site_{desk_, "study", kKey, [this](const std::string& why) { reported_ = why; }};
};

TEST_F(SiteTest, WithoutTheKeyNothingIsShown) {
  for (const char* cookie : {"",
                             "prescript-study=",
                             "prescript-other=00112233445566778899aabbccddeeff",
                             "prescript-study=00112233445566778899aabbccddeefe"}) {
    for (const char* path : {"/", "/start", "/rater/R1", "/rater/R1/next"}) {
      const HttpResponse response = get(path, "", cookie);
      EXPECT_EQ(response.status, 403u) << path;
      EXPECT_THAT(response.body, Not(HasSubstr("Echo")));
    }
  }
  EXPECT_EQ(get("/", "key=1", "").status, 403u);
  EXPECT_EQ(get("/", std::string("key=") + kKey + "0", "").status, 403u);
}

TEST_F(SiteTest, TheKeyBecomesACookieAndLeavesTheAddress) {
  EXPECT_EQ(site_.entry(), std::string("/?key=") + kKey);
  const HttpResponse response = get("/", std::string("key=") + kKey, "");
  EXPECT_EQ(response.status, 303u);
  EXPECT_EQ(header(response, "Location"), "/");
  const std::string cookie = header(response, "Set-Cookie");
  EXPECT_THAT(cookie, HasSubstr(kCookie + ";"));
  EXPECT_THAT(cookie, HasSubstr("HttpOnly"));
  EXPECT_THAT(cookie, HasSubstr("SameSite=Lax"));
}

TEST_F(SiteTest, CodesLeadToTheDesk) {
  EXPECT_THAT(get("/").body, HasSubstr("Echo &amp; more"));
  EXPECT_EQ(header(get("/start", "code=r7"), "Location"), "/rater/R7");
  for (const char* query : {"", "code=", "code=Jane+Doe", "code=%ff", "name=R7", "code=a&code=b"}) {
    EXPECT_EQ(get("/start", query).status, 422u) << query;
  }
  EXPECT_EQ(get("/rater/R7/5").body, "GET R7 5");
  EXPECT_EQ(get("/rater/r7").status, 404u);  // one spelling, one address
}

TEST_F(SiteTest, FormsReachTheDesk) {
  EXPECT_EQ(post("a=1&b=x+y").body, "POST R1 2 a=1 b=x y");
  EXPECT_EQ(post("a=%c3%a4").body, "POST R1 2 a=ä");
  EXPECT_EQ(post("a=%ff").status, 400u);
  EXPECT_EQ(post("a=%").status, 400u);
  EXPECT_EQ(post("{}", "application/json").status, 415u);
  EXPECT_EQ(post("a=1", "").status, 415u);
}

TEST_F(SiteTest, NothingElseIsThere) {
  for (const char* path : {"/etc/passwd",
                           "/../etc/passwd",
                           "/rater",
                           "/rater/",
                           "/page.css/..",
                           "/rater/%2e%2e/x",
                           "/rater/a%2fb",
                           "x"}) {
    EXPECT_EQ(get(path).status, 404u) << path;
  }
  EXPECT_EQ(site_.respond({.method = "DELETE", .path = "/", .query = "", .headers = {}, .body = ""})
                .status,
            405u);
  EXPECT_EQ(get("/page.css", "", "").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/page.js", "", "").content_type, "text/javascript; charset=utf-8");
}

TEST_F(SiteTest, WhatFailsIsSaidToBothSides) {
  const HttpResponse response = get("/rater/R1/throw");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("nothing was kept"));
  EXPECT_THAT(response.body, Not(HasSubstr("the reason")));
  EXPECT_EQ(reported_, "the reason");
}

}  // namespace
}  // namespace prescript
