#include "http/server.h"

#include <csignal>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// A client without manners: it sends what it is told, byte for byte.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const timeval limit{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~RawClient() { ::close(socket_); }

  bool is_connected() const { return is_connected_; }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server has had enough
      bytes.remove_prefix(static_cast<size_t>(count));
    }
  }

  /// Until the server closes.
  std::string receive() const {
    std::string text;
    char buffer[4096];
    for (ssize_t count; (count = ::recv(socket_, buffer, sizeof buffer, 0)) > 0;) {
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  int socket_;
  bool is_connected_ = false;
};

/// A server that says what it was asked.
class HttpServerTest : public testing::Test {
 protected:
  void start(HttpLimits limits = {}) {
    server_.emplace(
        0,
        [this](const HttpRequest& request) {
          ++num_handled_;
          if (request.path == "/throw") throw std::runtime_error("the reason");
          return HttpResponse{.status = 200,
                              .body = request.method + " " + request.path + " " + request.query +
                                      " " + request.body,
                              .headers = {{"X-Own", "yes"}}};
        },
        [this](const std::string& why) { reported_ = why; },
        limits);
    thread_ = std::thread([this] { server_->run(); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    server_->stop();
    thread_.join();
  }

  std::string exchange(const std::string& bytes) const {
    const RawClient client(server_->port());
    client.send(bytes);
    return client.receive();
  }

  static std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  }

  std::optional<HttpServer> server_;
  std::thread thread_;
  std::atomic<int> num_handled_ = 0;
  std::string reported_;
};

TEST_F(HttpServerTest, AnswersRequests) {
  start();
  const std::string answer = exchange(get("/a?b=c"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("GET /a b=c "));
  for (const char* header :
       {"Cache-Control: no-store", "X-Content-Type-Options: nosniff", "X-Own: yes"})
    EXPECT_THAT(answer, HasSubstr(header));
  EXPECT_THAT(exchange("POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nConnection: "
                       "close\r\n\r\nhello"),
              HasSubstr("POST /x  hello"));
}

TEST_F(HttpServerTest, AConnectionCarriesSeveralRequests) {
  start();
  EXPECT_THAT(exchange("GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/2")),
              testing::AllOf(HasSubstr("GET /1"), HasSubstr("GET /2")));
}

TEST_F(HttpServerTest, MalformedRequestsNeverReachTheHandler) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nonsense\r\n\r\n", "400"},
      {std::string(100, '\0'), "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},  // no Host
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "400"},
      {"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "403"},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: "
       "close\r\nContent-Length: 0\r\n\r\n",
       "403"}};
  for (const auto& [request, status] : cases) {
    EXPECT_THAT(exchange(request), StartsWith("HTTP/1.1 " + status)) << request;
  }
  EXPECT_EQ(num_handled_, 0);
}

TEST_F(HttpServerTest, LimitsHold) {
  start({.header_bytes = 1000,
         .body_bytes = 100,
         .connections = 2,
         .timeout = std::chrono::seconds(1)});
  EXPECT_THAT(
      exchange("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(5000, 'x') + "\r\n\r\n"),
      StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" +
                       std::string(100000, 'x')),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(
      exchange("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" +
               std::string(255, 'x') + "\r\n"),
      StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(num_handled_, 0);
  // Who says nothing is not waited for; others are answered meanwhile.
  const RawClient silent(server_->port());
  const RawClient slow(server_->port());
  slow.send("GET / HT");
  const RawClient third(server_->port());
  EXPECT_EQ(third.receive(), "");
  EXPECT_EQ(silent.receive(), "");
  EXPECT_EQ(slow.receive(), "");
  EXPECT_THAT(exchange(get("/")), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AFailingHandlerIsReportedAndNotShown) {
  start();
  const std::string answer = exchange(get("/throw"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
  EXPECT_THAT(answer, testing::Not(HasSubstr("the reason")));
  EXPECT_THAT(exchange(get("/after")), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(reported_, "the reason");
}

TEST_F(HttpServerTest, StopsWithIdleConnectionsAndOnASignal) {
  start();
  const RawClient idle(server_->port());
  idle.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  ::raise(SIGTERM);
  thread_.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_FALSE(RawClient(server_->port()).is_connected());
}

TEST_F(HttpServerTest, ATakenPortIsNamed) {
  start();
  expect_input_error(ExitCode::kUsage, "choose another port", [this] {
    HttpServer(server_->port(), [](const HttpRequest&) { return HttpResponse{}; }, {});
  });
}

}  // namespace
}  // namespace prescript
