#include "cli/terminal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
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

/// Columns of the terminal that stderr is.
size_t terminal_width() {
  struct winsize size {};
  const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : 80;
}

/// `line` in lines of less than `width` columns, broken behind commas where it has them.
std::string folded(const std::string& line, size_t width) {
  std::string lines;
  size_t column = 0;
  for (size_t begin = 0; begin < line.size();) {
    const size_t comma = line.find(", ", begin);
    const size_t end = comma == std::string::npos ? line.size() : comma + 2;
    const size_t visible = end - begin - (comma == std::string::npos ? 0 : 1);
    if (column > 0 && column + visible >= width) {
      lines.back() = '\n';
      column = 0;
    }
    lines.append(line, begin, end - begin);
    column += end - begin;
    begin = end;
  }
  return lines;
}

double share_of(size_t done, size_t total) {
  return total == 0 ? 1 : static_cast<double>(done) / static_cast<double>(total);
}

/// Takes the last `lines` lines of a terminal away; the cursor is in the last.
std::string erased(int64_t lines) {
  return (lines > 1 ? "\033[" + std::to_string(lines - 1) + "A" : "") + "\r\033[J";
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

Progress::Progress(std::string what, size_t total, size_t done, std::optional<double> share)
    : what_(std::move(what)),
      total_(total),
      is_terminal_(::isatty(STDERR_FILENO) == 1),
      share_before_(share.value_or(share_of(done, total))),
      begin_(Clock::now()),
      shown_(begin_) {}

Progress::~Progress() {
  end();
}

void Progress::show(size_t done, std::string_view note, std::optional<double> share) {
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
  const double now_done = share.value_or(share_of(done, total_));
  if (now_done > share_before_ && now_done < 1) {
    const double left = since(begin_) * (1 - now_done) / (now_done - share_before_);
    line += ", " + duration(left) + " left";
  }
  if (!is_terminal_) {
    write_all(STDERR_FILENO, line + "\n");
    return;
  }
  const std::string lines = folded(line, terminal_width());
  write_all(STDERR_FILENO, erased(lines_open_) + lines);
  lines_open_ = 1 + std::count(lines.begin(), lines.end(), '\n');
}

void Progress::end() {
  if (lines_open_ > 0) write_all(STDERR_FILENO, erased(lines_open_));
  lines_open_ = 0;
}

}  // namespace prescript
