#include "cli/terminal.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "text/utf8.h"

namespace prescript {
namespace {

/// Returns 0 or the errno of the failure.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  const auto two = [](int64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return whole < 3600
             ? std::to_string(whole / 60) + ":" + two(whole % 60)
             : std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + two(whole % 60);
}

}  // namespace

void prepare_standard_streams() {
  for (const int descriptor : {0, 1, 2}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // A closed stdout stays unwritable, so that results are not lost in silence.
    const int opened = ::open("/dev/null", descriptor == 2 ? O_WRONLY : O_RDONLY);
    PRESCRIPT_CHECK(opened == descriptor, "standard streams");
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is a failed write
}

std::string printable(std::string_view text) {
  std::string result;
  const auto escape = [&result](char32_t byte) {
    constexpr const char* kDigits = "0123456789abcdef";
    result += std::string("\\x") + kDigits[byte >> 4] + kDigits[byte & 15];
  };
  while (!text.empty()) {
    const size_t valid = first_invalid_utf8(text).value_or(text.size());
    for (size_t at = 0; at < valid;) {
      const size_t begin = at;
      const char32_t c = next_character(text, at);
      if ((c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0)) {
        escape(c);
      } else {
        result.append(text, begin, at - begin);
      }
    }
    text.remove_prefix(valid);
    if (text.empty()) break;
    escape(static_cast<unsigned char>(text.front()));
    text.remove_prefix(1);
  }
  return result;
}

void write_result(std::string_view line) {
  const int error = write_all(STDOUT_FILENO, std::string(line) + "\n");
  if (error != 0) {
    throw DeviceError(std::string("cannot write results to stdout: ") + std::strerror(error));
  }
}

void write_message(std::string_view line) {
  write_all(STDERR_FILENO, printable(line) + "\n");
}

void write_warning(std::string_view text) {
  write_message("warning: " + std::string(text));
}

Progress::Progress(std::string what, size_t total, size_t done)
    : what_(std::move(what)),
      total_(total),
      done_before_(done),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      begin_(Clock::now()),
      shown_(begin_) {}

Progress::~Progress() {
  end();
}

void Progress::show(size_t done, std::string_view note) {
  constexpr double kLineEverySeconds = 10;  // where lines stay
  constexpr double kRewriteEverySeconds = 0.1;
  const auto now = Clock::now();
  const auto since = [&](Clock::time_point then) {
    return std::chrono::duration<double>(now - then).count();
  };
  if (since(shown_) < (is_terminal_ ? kRewriteEverySeconds : kLineEverySeconds)) return;
  shown_ = now;
  std::string line = std::to_string(done) + " of " + std::to_string(total_) + " " + what_;
  if (!note.empty()) line += ", " + std::string(note);
  if (done > done_before_ && done < total_) {
    const double seconds_each = since(begin_) / static_cast<double>(done - done_before_);
    const double left = seconds_each * static_cast<double>(total_ - done);
    line += ", " + duration(left) + " left";
  }
  write_all(STDERR_FILENO, is_terminal_ ? "\r\033[K" + line : line + "\n");
  line_open_ = is_terminal_;
}

void Progress::end() {
  if (line_open_) write_all(STDERR_FILENO, "\r\033[K");
  line_open_ = false;
}

}  // namespace prescript
