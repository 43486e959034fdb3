#include "rating/site.h"

#include "http/form.h"
#include "rating/html.h"
#include "rating/rater.h"
#include "report/html.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr const char* kFormType = "application/x-www-form-urlencoded";

/// In a time that does not depend on where they differ.
bool are_equal(const std::string& a, const std::string& b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

HttpResponse code_page(const Desk& desk, unsigned status, const std::string& problem) {
  return page_response(
      status,
      desk.title(),
      "<main>\n<section class=\"card\">\n<h1>" + escape_html(desk.title()) + "</h1>\n<p>" +
          escape_html(desk.invitation()) +
          "</p>\n<form action=\"/start\" method=\"get\">\n<p class=\"problem\" role=\"alert\">" +
          escape_html(problem) +
          "</p>\n<label class=\"field\"><span>Your rater code</span>"
          "<input type=\"text\" name=\"code\" required autofocus maxlength=\"32\" "
          "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\"></label>\n"
          "<p class=\"quiet\">A code that was given to you, not your name: " +
          std::string(kRaterCodeRule) +
          ".</p>\n<p class=\"actions\"><button type=\"submit\">Continue</button></p>\n"
          "</form>\n</section>\n</main>\n");
}

HttpResponse asset(const char* type, const char* text) {
  return {.status = 200,
          .content_type = std::string(type) + "; charset=utf-8",
          .body = text,
          .headers = {{"Cross-Origin-Resource-Policy", "same-origin"}}};
}

HttpResponse no_such_page() {
  return message_page(
      404, "No such page", "There is no page at this address.", "/", "To the start");
}

}  // namespace

Site::Site(Desk& desk,
           std::string name,
           std::string access_key,
           std::function<void(const std::string&)> report)
    : desk_(desk),
      cookie_("prescript-" + std::move(name)),
      access_key_(std::move(access_key)),
      report_(std::move(report)) {}

std::string Site::entry() const {
  return "/?key=" + access_key_;
}

HttpResponse Site::respond(const HttpRequest& request) const {
  if (request.method != "GET" && request.method != "POST") {
    return {.status = 405, .body = "Only GET and POST.\n", .headers = {{"Allow", "GET, POST"}}};
  }
  const auto path = path_segments(request.path);
  if (!path) return no_such_page();
  if (request.method == "GET" && path->size() == 1) {
    if (path->front() == "page.css") return asset("text/css", kDeskStyle);
    if (path->front() == "page.js") return asset("text/javascript", kDeskScript);
  }
  if (request.method == "GET" && path->empty() && request.query.starts_with("key=")) {
    return enter(request);
  }
  if (!are_equal(cookie_value(request.header("cookie"), cookie_), access_key_)) {
    return message_page(403,
                        "This page is closed",
                        "Open the whole address that the server printed when it was started, with "
                        "its key, once in this browser.");
  }
  if (request.method == "GET" && path->empty()) return code_page(desk_, 200, "");
  if (request.method == "GET" && path->size() == 1 && path->front() == "start") {
    return start(request.query);
  }
  if (path->size() >= 2 && path->front() == "rater") return desk_page(request, *path);
  return no_such_page();
}

HttpResponse Site::enter(const HttpRequest& request) const {
  if (!are_equal(request.query.substr(4), access_key_)) {
    return message_page(403,
                        "This page is closed",
                        "The key in this address is not this study's. Copy the whole address that "
                        "the server printed.");
  }
  HttpResponse response = redirect("/");
  response.headers.emplace_back(
      "Set-Cookie",
      cookie_ + "=" + access_key_ + "; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
  return response;
}

HttpResponse Site::start(const std::string& query) const {
  const auto form = parse_form(query);
  std::string rater;
  if (form && form->contains("code")) rater = rater_code(form->at("code"));
  if (rater.empty()) {
    return code_page(desk_, 422, std::string("A code is ") + kRaterCodeRule + ".");
  }
  return redirect("/rater/" + rater);
}

HttpResponse Site::desk_page(const HttpRequest& request, std::span<const std::string> path) const {
  const std::string rater = rater_code(path[1]);
  if (rater.empty() || rater != path[1]) return no_such_page();
  std::map<std::string, std::string> form;
  if (request.method == "POST") {
    if (!request.header("content-type").starts_with(kFormType)) {
      return message_page(415, "Not a form", "This address takes what its own page sends.");
    }
    auto parsed = parse_form(request.body);
    if (!parsed) return message_page(400, "Not a form", "The form is badly encoded.");
    for (const auto& [name, value] : *parsed) {
      if (first_invalid_utf8(name) || first_invalid_utf8(value)) {
        return message_page(400, "Not a form", "The form holds text that is not UTF-8.");
      }
    }
    form = std::move(*parsed);
  }
  try {
    return desk_.respond(rater, path.subspan(2), request.method, form);
  } catch (const std::exception& error) {
    report_(error.what());
    return message_page(
        500,
        "Not kept",
        "The server could not do this (its disk may be full), and nothing was kept. "
        "Tell the person who runs it; its terminal says why. Then try again.");
  }
}

}  // namespace prescript
