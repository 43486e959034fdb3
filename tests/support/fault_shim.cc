// A library for LD_PRELOAD that makes the disk fail, or the process die, at a chosen call on a
// chosen folder. It stands between a program and the C library and changes nothing until that call.
//
//   FAULT_ROOT   only calls on this folder (a real path) or below it count; unset: the shim is idle
//   FAULT_CALLS  which calls count, of: open,write,fsync,rename,unlink,close,truncate; default:
//   write,fsync,rename FAULT_AT     the number of the call that fails, from 1; unset or 0: none
//   FAULT_KIND   kill: SIGKILL before the call; torn: a write stores half of its bytes, then
//   SIGKILL;
//                enospc, eio: the call fails once with that error, a write after storing half of
//                its bytes
//   FAULT_LOG    a file that gets one line per counted call: its class, a space, its path
//   FAULT_MAPPED_BYTES  for itself: from so many bytes on, every block of pages that the program
//   maps
//                fails with ENOMEM; unset or 0: none
//
// Calls are counted over all threads of one process. A descriptor's path is asked of /proc, so
// nothing has to be tracked. Calls that the C library makes inside itself (a FILE's own buffer)
// pass unseen; fwrite and fflush stand in for those.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

enum class Kind { kNone, kKill, kTorn, kError };

struct Settings {
  std::string root;
  std::string calls;  // with a comma at either end
  long at = 0;
  Kind kind = Kind::kNone;
  int error = 0;
  int log = -1;
};

std::string variable(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : fallback;
}

[[noreturn]] void refuse(const std::string& message) {
  const std::string line = "fault_shim: " + message + "\n";
  ::syscall(SYS_write, STDERR_FILENO, line.data(), line.size());
  ::_exit(126);
}

Settings read_settings() {
  Settings settings;
  settings.root = variable("FAULT_ROOT", "");
  settings.calls = "," + variable("FAULT_CALLS", "write,fsync,rename") + ",";
  settings.at = std::atol(variable("FAULT_AT", "0").c_str());
  const std::string kind = variable("FAULT_KIND", "");
  if (kind == "kill") settings.kind = Kind::kKill;
  if (kind == "torn") settings.kind = Kind::kTorn;
  if (kind == "enospc" || kind == "eio") settings.kind = Kind::kError;
  settings.error = kind == "eio" ? EIO : ENOSPC;
  if (settings.at > 0 && settings.kind == Kind::kNone) refuse("FAULT_KIND=" + kind + " is unknown");
  const std::string log = variable("FAULT_LOG", "");
  if (!log.empty()) {
    settings.log = static_cast<int>(::syscall(
        SYS_openat, AT_FDCWD, log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (settings.log < 0) refuse("cannot open FAULT_LOG=" + log);
  }
  return settings;
}

const Settings& settings() {
  static const Settings* const kept = new Settings(read_settings());  // outlives every destructor
  return *kept;
}

std::atomic<long> counted{0};

std::string link_target(const std::string& link) {
  char buffer[PATH_MAX];
  const ssize_t length = ::readlink(link.c_str(), buffer, sizeof buffer);
  return length > 0 ? std::string(buffer, static_cast<size_t>(length)) : std::string();
}

std::string path_of(int descriptor) {
  return link_target("/proc/self/fd/" + std::to_string(descriptor));
}

// The absolute path of a name as the *at calls see it, its folder without links.
std::string path_of(int folder, const char* name) {
  std::string path = name != nullptr ? name : "";
  if (!path.starts_with("/"))
    path = (folder == AT_FDCWD ? link_target("/proc/self/cwd") : path_of(folder)) + "/" + path;
  while (path.size() > 1 && path.ends_with("/")) path.pop_back();
  const size_t slash = path.rfind('/');
  char resolved[PATH_MAX];
  if (slash == 0 || ::realpath(path.substr(0, slash).c_str(), resolved) == nullptr) return path;
  return resolved + path.substr(slash);
}

// The same of a name that the call follows when it is a link itself.
std::string opened_path_of(int folder, const char* name) {
  const std::string path = path_of(folder, name);
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

[[noreturn]] void die() {
  ::syscall(SYS_kill, ::getpid(), SIGKILL);
  while (true) ::pause();
}

// Counts the call; true when this is the one that fails.
bool is_the_one(const char* call, const std::string& path) {
  const Settings& set = settings();
  if (set.root.empty() || set.calls.find("," + std::string(call) + ",") == std::string::npos)
    return false;
  if (path != set.root && !path.starts_with(set.root + "/")) return false;
  if (set.log >= 0) {
    const std::string line = std::string(call) + " " + path + "\n";
    ::syscall(SYS_write, set.log, line.data(), line.size());
  }
  return ++counted == set.at;
}

// For calls that happen whole or not at all: dies, or returns true with errno set.
bool fails(const char* call, const std::string& path) {
  const int saved = errno;
  if (!is_the_one(call, path)) {
    errno = saved;
    return false;
  }
  if (settings().kind != Kind::kError) die();
  errno = settings().error;
  return true;
}

// For writes: as `fails`, but `store_half` is called first where the kind stores a part.
template <typename StoreHalf>
bool write_fails(const std::string& path, StoreHalf store_half) {
  const int saved = errno;
  if (!is_the_one("write", path)) {
    errno = saved;
    return false;
  }
  if (settings().kind == Kind::kKill) die();
  store_half();
  if (settings().kind == Kind::kTorn) die();
  errno = settings().error;
  return true;
}

// The C library's own function of this name.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

#define REAL(function) static const auto real = next<decltype(::function)>(#function)

extern "C" {

void* mmap(void* address, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
  static const char* const limit = std::getenv("FAULT_MAPPED_BYTES");
  static const size_t most = limit != nullptr ? std::strtoull(limit, nullptr, 10) : 0;
  if (most > 0 && bytes >= most && (flags & MAP_ANONYMOUS) != 0) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return reinterpret_cast<void*>(
      ::syscall(SYS_mmap, address, bytes, protection, flags, descriptor, offset));
}

ssize_t write(int descriptor, const void* bytes, size_t count) {
  REAL(write);
  if (write_fails(path_of(descriptor), [&] { real(descriptor, bytes, count / 2); })) return -1;
  return real(descriptor, bytes, count);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  REAL(pwrite);
  if (write_fails(path_of(descriptor), [&] { real(descriptor, bytes, count / 2, offset); }))
    return -1;
  return real(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t offset) {
  return pwrite(descriptor, bytes, count, offset);
}

ssize_t writev(int descriptor, const iovec* parts, int num_parts) {
  REAL(writev);
  if (write_fails(path_of(descriptor), [&] { real(descriptor, parts, num_parts / 2); })) return -1;
  return real(descriptor, parts, num_parts);
}

size_t fwrite(const void* bytes, size_t size, size_t count, FILE* file) {
  REAL(fwrite);
  const auto store_half = [&] {
    real(bytes, size, count / 2, file);
    next<decltype(::fflush)>("fflush")(file);
  };
  if (write_fails(path_of(::fileno(file)), store_half)) return 0;
  return real(bytes, size, count, file);
}

int fflush(FILE* file) {
  REAL(fflush);
  if (file != nullptr && fails("write", path_of(::fileno(file)))) return EOF;
  return real(file);
}

int fsync(int descriptor) {
  REAL(fsync);
  return fails("fsync", path_of(descriptor)) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
  REAL(fdatasync);
  return fails("fsync", path_of(descriptor)) ? -1 : real(descriptor);
}

int rename(const char* from, const char* to) noexcept {
  REAL(rename);
  return fails("rename", path_of(AT_FDCWD, to)) ? -1 : real(from, to);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  REAL(renameat);
  return fails("rename", path_of(to_folder, to)) ? -1 : real(from_folder, from, to_folder, to);
}

int renameat2(
    int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  REAL(renameat2);
  if (fails("rename", path_of(to_folder, to))) return -1;
  return real(from_folder, from, to_folder, to, flags);
}

int unlink(const char* path) noexcept {
  REAL(unlink);
  return fails("unlink", path_of(AT_FDCWD, path)) ? -1 : real(path);
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  REAL(unlinkat);
  return fails("unlink", path_of(folder, path)) ? -1 : real(folder, path, flags);
}

int remove(const char* path) noexcept {
  REAL(remove);
  return fails("unlink", path_of(AT_FDCWD, path)) ? -1 : real(path);
}

int close(int descriptor) {
  REAL(close);
  if (!fails("close", path_of(descriptor))) return real(descriptor);
  const int error = errno;  // as on Linux: the descriptor is gone even when close fails
  real(descriptor);
  errno = error;
  return -1;
}

int ftruncate(int descriptor, off_t size) noexcept {
  REAL(ftruncate);
  return fails("truncate", path_of(descriptor)) ? -1 : real(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) noexcept {
  return ftruncate(descriptor, size);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  REAL(openat);
  return fails("open", opened_path_of(folder, path)) ? -1 : real(folder, path, flags, mode);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return openat(AT_FDCWD, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return openat(folder, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return openat(AT_FDCWD, path, flags, mode);
}

int creat(const char* path, mode_t mode) {
  return openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int mkostemps(char* pattern, int suffix_length, int flags) {
  REAL(mkostemps);
  return fails("open", path_of(AT_FDCWD, pattern)) ? -1 : real(pattern, suffix_length, flags);
}

FILE* fopen(const char* path, const char* mode) {
  REAL(fopen);
  return fails("open", opened_path_of(AT_FDCWD, path)) ? nullptr : real(path, mode);
}

FILE* fopen64(const char* path, const char* mode) {
  return fopen(path, mode);
}

}  // extern "C"
