#include "cli/stop_signal.h"

#include <atomic>
#include <csignal>
#include <string_view>

#include <unistd.h>

#include "base/error.h"

namespace prescript {
namespace {

std::atomic<bool> requested = false;
std::atomic<bool> remembers = false;
static_assert(std::atomic<bool>::is_always_lock_free, "they are set by signal handlers");

extern "C" void on_stop_signal(int) {
  requested = true;
  if (remembers) return;
  constexpr std::string_view kMessage =
      "prescript: stopped by a signal before the first step; nothing was lost\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(ExitCode::kPreempted));
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

void remember_stop_signals() {
  remembers = true;
}

bool stop_requested() {
  return requested;
}

}  // namespace prescript
