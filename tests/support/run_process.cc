#include "support/run_process.h"

#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace prescript {
namespace {

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe2");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
  int ends[2];
};

// The environment of the child, made before fork: between fork and exec nothing may allocate.
std::vector<std::string> merged_environment(const ProcessOptions& options) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!options.environment.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [name, value] : options.environment)
    if (value) merged.push_back(name + "=" + *value);
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// Appends what is there to read; closes the end at the end of file.
void drain(Pipe& pipe, std::string& text) {
  char buffer[4096];
  const ssize_t count = ::read(pipe.ends[0], buffer, sizeof buffer);
  if (count > 0) text.append(buffer, static_cast<size_t>(count));
  if (count == 0 || (count < 0 && errno != EINTR)) pipe.close_end(0);
}

}  // namespace

ProcessResult run_process(const ProcessOptions& options) {
  using Clock = std::chrono::steady_clock;
  std::vector<std::string> argument_text = options.arguments;
  std::vector<std::string> environment_text = merged_environment(options);
  const std::vector<char*> arguments = pointers(argument_text);
  const std::vector<char*> environment = pointers(environment_text);
  Pipe out;
  Pipe err;

  const auto started = Clock::now();
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
    ::dup2(out.ends[1], STDOUT_FILENO);
    ::dup2(err.ends[1], STDERR_FILENO);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(127);
    ::execve(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
  }
  out.close_end(1);
  err.close_end(1);

  ProcessResult result;
  bool signalled = options.signal == 0;
  auto signalled_at = started;
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    ::poll(waiting, 2, 5);
    if (waiting[0].revents != 0) drain(out, result.out);
    if (waiting[1].revents != 0) drain(err, result.err);
    const auto now = Clock::now();
    const bool is_time =
        options.signal_on.empty()
            ? now - started >= options.signal_after
            : (result.out + result.err).find(options.signal_on) != std::string::npos;
    if (!signalled && is_time) {
      ::kill(child, options.signal);
      signalled = true;
      signalled_at = now;
    }
    if (!result.timed_out && now - started >= options.timeout) {
      ::kill(child, SIGKILL);
      result.timed_out = true;
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.after_signal =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - signalled_at);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

}  // namespace prescript
