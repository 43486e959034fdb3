#include "rating/html.h"

#include "report/html.h"

namespace prescript {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

}  // namespace

std::string html_page(const std::string& title, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escape_html(title) +
         "</title>\n<link rel=\"icon\" href=\"data:,\">\n"
         "<link rel=\"stylesheet\" href=\"/page.css\">\n"
         "<script src=\"/page.js\" defer></script>\n</head>\n<body>\n" +
         body + "</body>\n</html>\n";
}

HttpResponse page_response(unsigned status, const std::string& title, const std::string& body) {
  return {.status = status,
          .content_type = "text/html; charset=utf-8",
          .body = html_page(title, body),
          .headers = {{"Content-Security-Policy", kPolicy},
                      {"X-Frame-Options", "DENY"},
                      {"Referrer-Policy", "same-origin"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}}};
}

HttpResponse message_page(unsigned status,
                          const std::string& title,
                          const std::string& text,
                          const std::string& href,
                          const std::string& link) {
  const std::string way_on = href.empty()
                                 ? ""
                                 : "<p class=\"actions\"><a class=\"button\" href=\"" +
                                       escape_html(href) + "\">" + escape_html(link) + "</a></p>\n";
  return page_response(status,
                       title,
                       "<main>\n<section class=\"card\">\n<h1>" + escape_html(title) +
                           "</h1>\n<p class=\"problem\">" + escape_html(text) + "</p>\n" + way_on +
                           "</section>\n</main>\n");
}

HttpResponse redirect(const std::string& path) {
  return {.status = 303, .body = "", .headers = {{"Location", path}}};
}

}  // namespace prescript
