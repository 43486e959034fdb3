#pragma once
// A request and its response as plain values: what handlers see of HTTP.

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace prescript {

struct HttpRequest {
  std::string method;                               // "GET"
  std::string path;                                 // as sent, up to the '?': "/a%20b"
  std::string query = {};                           // as sent, behind the '?'
  std::map<std::string, std::string> headers = {};  // names in lower case; the first of equal ones
  std::string body = {};

  /// A header's value, or "".
  std::string header(const std::string& lower_case_name) const {
    const auto found = headers.find(lower_case_name);
    return found == headers.end() ? "" : found->second;
  }
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
};

}  // namespace prescript
