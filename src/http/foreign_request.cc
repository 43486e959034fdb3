#include "http/foreign_request.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace prescript {
namespace {

/// "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]"; "" where it is not spelled so.
std::string_view name_of(std::string_view host) {
  const size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return "";
  const size_t colon = host.find(':', bracket);
  if (colon == std::string_view::npos) return host;
  const std::string_view port = host.substr(colon + 1);
  const bool is_number =
      !port.empty() && port.size() <= 5 &&
      std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return is_number ? host.substr(0, colon) : "";
}

bool is_loopback(std::string_view host) {
  const std::string_view name = name_of(host);
  return name == "127.0.0.1" || name == "localhost" || name == "[::1]";
}

HttpResponse refusal(const char* text) {
  return {.status = 403, .body = std::string(text) + "\n"};
}

}  // namespace

std::optional<HttpResponse> refuse_foreign(const HttpRequest& request) {
  const std::string host = request.header("host");
  if (!is_loopback(host)) {
    return refusal("This address is answered as 127.0.0.1 or localhost only.");
  }
  if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
  const std::string origin = request.header("origin");
  const std::string site = request.header("sec-fetch-site");
  const bool is_own_origin = origin.empty() || origin == "http://" + host;
  const bool is_own_site = site.empty() || site == "same-origin" || site == "none";
  if (is_own_origin && is_own_site) return std::nullopt;
  return refusal("This request was sent by a page of another site, and nothing was changed.");
}

}  // namespace prescript
