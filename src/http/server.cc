#include "http/server.h"

#include <csignal>
#include <optional>
#include <set>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "base/error.h"
#include "http/foreign_request.h"

namespace prescript {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::chrono::seconds kGrace{2};

std::string text_of(beast::string_view view) {
  return {view.data(), view.size()};
}

HttpRequest plain_request(http::request<http::string_body>&& message) {
  HttpRequest request{.method = {}, .path = {}};
  request.method = text_of(message.method_string());
  const std::string target = text_of(message.target());
  const size_t question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = target.substr(std::min(question + 1, target.size()));
  for (const auto& field : message) {
    std::string name = text_of(field.name_string());
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    request.headers.emplace(std::move(name), text_of(field.value()));
  }
  request.body = std::move(message.body());
  return request;
}

HttpResponse refusal(unsigned status, const char* text) {
  return {.status = status, .body = std::string(text) + "\n"};
}

/// What a request that could not be read is answered with; nothing where nobody is there any more.
std::optional<HttpResponse> answer_to(const beast::error_code& error) {
  if (error == http::error::header_limit) return refusal(431, "The header is too large.");
  if (error == http::error::body_limit) return refusal(413, "The body is too large.");
  const bool is_of_http =
      error.category() == http::make_error_code(http::error::bad_method).category();
  if (!is_of_http || error == http::error::end_of_stream || error == http::error::partial_message) {
    return std::nullopt;
  }
  return refusal(400, "The request is not HTTP.");
}

/// What the connections of a server share.
struct Shared {
  HttpHandler handler;
  std::function<void(const std::string&)> report;
  HttpLimits limits;
  bool is_stopping = false;

  HttpResponse respond(const HttpRequest& request) const {
    if (!request.path.starts_with('/')) return refusal(400, "The target is not a path.");
    if (auto refused = refuse_foreign(request)) return *refused;
    try {
      return handler(request);
    } catch (const std::exception& error) {
      report(error.what());
      return refusal(500, "This failed; the server's terminal says why.");
    }
  }
};

/// One connection: reads a request, answers it, and so on. It lives as long as an operation is
/// under way.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared, std::set<Connection*>& all)
      : stream_(std::move(socket)), shared_(shared), all_(all) {
    all_.insert(this);
  }
  ~Connection() { all_.erase(this); }

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(shared_.limits.header_bytes));
    parser_->body_limit(shared_.limits.body_bytes);
    stream_.expires_after(shared_.limits.timeout);
    http::async_read(stream_,
                     buffer_,
                     *parser_,
                     [self = shared_from_this()](const beast::error_code& error, size_t) {
                       self->on_read(error);
                     });
  }

  /// Ends it, but for a response on its way.
  void finish() {
    if (!is_writing_) stream_.close();
  }

 private:
  void on_read(const beast::error_code& error) {
    if (error) {
      // Without an answer the connection ends here, with its last reference.
      if (const auto answer = answer_to(error)) write(*answer, /*keep_alive=*/false);
      return;
    }
    auto message = parser_->release();
    const bool keep_alive = message.keep_alive() && !shared_.is_stopping;
    if (message.count(http::field::host) != 1) {
      return write(refusal(400, "A request names its Host, once."), /*keep_alive=*/false);
    }
    write(shared_.respond(plain_request(std::move(message))), keep_alive);
  }

  void write(const HttpResponse& response, bool keep_alive) {
    message_ = {};
    message_.version(11);
    message_.result(response.status);
    message_.set(http::field::content_type, response.content_type);
    message_.set(http::field::cache_control, "no-store");
    message_.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) message_.insert(name, value);
    message_.body() = response.body;
    message_.keep_alive(keep_alive);
    message_.prepare_payload();
    is_writing_ = true;
    stream_.expires_after(shared_.limits.timeout);
    http::async_write(
        stream_, message_, [self = shared_from_this()](const beast::error_code& error, size_t) {
          self->is_writing_ = false;
          const bool goes_on = !error && self->message_.keep_alive();
          return goes_on && !self->shared_.is_stopping ? self->read() : self->close();
        });
  }

  /// Says that nothing more comes, and waits for the peer's end: closing over bytes that were not
  /// read would take the response away from it.
  void close() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    buffer_.clear();
    stream_.expires_after(kGrace);
    drain();
  }

  void drain() {
    stream_.async_read_some(buffer_.prepare(4096),
                            [self = shared_from_this()](const beast::error_code& error, size_t) {
                              if (!error && !self->shared_.is_stopping) self->drain();
                            });
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  std::set<Connection*>& all_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> message_;
  bool is_writing_ = false;
};

}  // namespace

class HttpServer::State {
 public:
  State(uint16_t port, Shared shared) : shared_(std::move(shared)) {
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port);
    beast::error_code error;
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) {
      throw InputError(ExitCode::kUsage,
                       "--port: 127.0.0.1:" + std::to_string(port) + ": " + error.message() +
                           "; choose another port, or 0 for a free one");
    }
  }

  uint16_t port() const { return port_; }

  void run() {
    signals_.async_wait([this](const beast::error_code& error, int) {
      if (!error) begin_stop();
    });
    accept();
    io_.run();
  }

  void stop() {
    asio::post(io_, [this] { begin_stop(); });
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const beast::error_code& error, tcp::socket socket) {
      if (shared_.is_stopping) return;
      if (!error && connections_.size() < shared_.limits.connections) {
        std::make_shared<Connection>(std::move(socket), shared_, connections_)->read();
      }
      accept();
    });
  }

  void begin_stop() {
    if (shared_.is_stopping) return;
    shared_.is_stopping = true;
    beast::error_code ignored;
    acceptor_.close(ignored);
    signals_.cancel(ignored);
    for (Connection* const connection : connections_) connection->finish();
    grace_.expires_after(kGrace);
    grace_.async_wait([this](const beast::error_code&) { io_.stop(); });
    end_when_idle();
  }

  /// Ends the grace as soon as no connection is left.
  void end_when_idle() {
    if (connections_.empty()) {
      grace_.cancel();
      return;
    }
    idle_.expires_after(std::chrono::milliseconds(10));
    idle_.async_wait([this](const beast::error_code& error) {
      if (!error) end_when_idle();
    });
  }

  Shared shared_;
  uint16_t port_ = 0;
  std::set<Connection*> connections_;
  asio::io_context io_{1};  // behind what the connections use, which end with it
  tcp::acceptor acceptor_{io_};
  asio::signal_set signals_{io_, SIGINT, SIGTERM, SIGHUP};
  asio::steady_timer grace_{io_};
  asio::steady_timer idle_{io_};
};

HttpServer::HttpServer(uint16_t port,
                       HttpHandler handler,
                       std::function<void(const std::string&)> report,
                       const HttpLimits& limits)
    : state_(std::make_unique<State>(
          port, Shared{std::move(handler), std::move(report), limits, false})) {}

HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const {
  return state_->port();
}

void HttpServer::run() {
  state_->run();
}

void HttpServer::stop() {
  state_->stop();
}

}  // namespace prescript
