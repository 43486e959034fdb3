#pragma once
// Pages: the frame that all of them share, and the responses that carry them.

#include <string>

#include "http/message.h"

namespace prescript {

/// A whole page: `body` is HTML, `title` text.
std::string html_page(const std::string& title, const std::string& body);

/// A page that loads nothing from elsewhere, sends nothing elsewhere and stands in no frame.
HttpResponse page_response(unsigned status, const std::string& title, const std::string& body);

/// A page with one message and, where `href` is given, a way on.
HttpResponse message_page(unsigned status,
                          const std::string& title,
                          const std::string& text,
                          const std::string& href = "",
                          const std::string& link = "");

/// See Other: the browser loads `path` of this server instead.
HttpResponse redirect(const std::string& path);

/// The style sheet and the script of every page.
extern const char* const kDeskStyle;
extern const char* const kDeskScript;

}  // namespace prescript
