#pragma once
// An HTTP/1.1 server for this computer alone.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http/message.h"

namespace prescript {

struct HttpLimits {
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 1 << 20;
  size_t connections = 128;          // more are closed at once
  std::chrono::seconds timeout{30};  // of a request's arrival and of a response's way; a connection
                                     // without a request is closed after it too
};

/// Called by one thread at a time; an exception becomes a response 500 without its text.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// Listens on 127.0.0.1. Requests of other sites' pages (http/foreign_request.h), malformed ones
/// and those beyond the limits are refused before they reach the handler. Every response says
/// `Cache-Control: no-store` and `X-Content-Type-Options: nosniff`.
class HttpServer {
 public:
  /// Binds and listens; port 0 takes a free one. `report` is told the text of the handler's
  /// exceptions. Throws InputError(kUsage) for a port that is taken or not permitted.
  HttpServer(uint16_t port,
             HttpHandler handler,
             std::function<void(const std::string&)> report,
             const HttpLimits& limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  uint16_t port() const;

  /// Serves until `stop`, SIGINT, SIGTERM or SIGHUP. Responses on their way are then sent to their
  /// end, for two seconds at most.
  void run();

  /// From any thread.
  void stop();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace prescript
