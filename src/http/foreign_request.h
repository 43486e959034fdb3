#pragma once
// Requests that another site made a browser send.

#include <optional>

#include "http/message.h"

namespace prescript {

/// The refusal (403) of a request that did not come from this computer's own pages; nothing for one
/// that may be answered. Refused are a Host that is no loopback name (a foreign name that was made
/// to resolve to 127.0.0.1: DNS rebinding) and, for methods that change something, an Origin or a
/// Sec-Fetch-Site that says another site (cross-site request forgery). Programs that send neither
/// may pass. Any port is allowed in Host: a tunnel ends at a port of its own.
std::optional<HttpResponse> refuse_foreign(const HttpRequest& request);

}  // namespace prescript
