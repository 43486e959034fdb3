#include "http/foreign_request.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

bool is_refused(const std::string& method, std::map<std::string, std::string> headers) {
  const auto refused =
      refuse_foreign({.method = method, .path = "/", .headers = std::move(headers)});
  EXPECT_EQ(refused.value_or(HttpResponse{.status = 403}).status, 403u);
  return refused.has_value();
}

TEST(ForeignRequest, OnlyLoopbackNamesAreHosts) {
  for (const char* host :
       {"127.0.0.1", "127.0.0.1:8460", "localhost", "localhost:1", "[::1]:8460"}) {
    EXPECT_FALSE(is_refused("GET", {{"host", host}})) << host;
  }
  for (const char* host : {"",
                           "evil.example",
                           "evil.example:8460",
                           "127.0.0.1.evil.example",
                           "127.0.0.1:8460.evil.example",
                           "127.0.0.1:",
                           "localhost:x",
                           "192.168.1.2:8460",
                           "0.0.0.0",
                           "[::1",
                           "user@127.0.0.1",
                           "127.0.0.1:123456"}) {
    EXPECT_TRUE(is_refused("GET", {{"host", host}})) << host;
    EXPECT_TRUE(is_refused("POST", {{"host", host}})) << host;
  }
}

TEST(ForeignRequest, PostsComeFromTheOwnPage) {
  const std::string host = "127.0.0.1:8460";
  const auto post = [&](const std::string& name, const std::string& value) {
    return is_refused("POST", {{"host", host}, {name, value}});
  };
  EXPECT_FALSE(post("origin", "http://127.0.0.1:8460"));
  EXPECT_FALSE(post("sec-fetch-site", "same-origin"));
  EXPECT_FALSE(is_refused("POST", {{"host", host}}));  // a program, not a browser
  for (const char* origin : {"http://evil.example",
                             "https://127.0.0.1:8460",
                             "http://127.0.0.1:8461",
                             "http://localhost:8460",
                             "null"}) {
    EXPECT_TRUE(post("origin", origin)) << origin;
    EXPECT_TRUE(is_refused("DELETE", {{"host", host}, {"origin", origin}})) << origin;
    EXPECT_FALSE(is_refused("GET", {{"host", host}, {"origin", origin}})) << origin;
  }
  EXPECT_TRUE(post("sec-fetch-site", "cross-site"));
  EXPECT_TRUE(post("sec-fetch-site", "same-site"));
}

}  // namespace
}  // namespace prescript
