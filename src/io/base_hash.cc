#include "io/base_hash.h"

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>

#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/file_error.h"
#include "base/hash.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHexDigits = 64;

std::optional<std::string> cache_directory() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && xdg[0] == '/') return std::string(xdg) + "/prescript";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/prescript";
  return std::nullopt;
}

struct stat status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw_open_error(path, "cannot open", errno, ExitCode::kModel);
  return status;
}

std::string text_of(const timespec& time) {
  return std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec);
}

/// Everything that changes when the file does. The time of status change is part of it, since tools
/// set the time of modification back.
std::string identity_of(const std::string& path, const struct stat& status) {
  return "1\n" + fs::weakly_canonical(path).string() + "\n" + std::to_string(status.st_dev) + " " +
         std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
         text_of(status.st_mtim) + " " + text_of(status.st_ctim);
}

bool is_hash(const std::string& text) {
  return text.size() == kHexDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void remember(const std::string& entry, const std::string& hash) {
  std::error_code ignored;
  fs::create_directories(fs::path(entry).parent_path(), ignored);
  try {
    write_file_durably(entry, hash);
  } catch (const InputError&) {  // no cache: the next run hashes again
  } catch (const DeviceError&) {
  }
}

std::string hash_of_file(const std::string& path) {
  const struct stat status = status_of(path);
  const std::string identity = identity_of(path, status);
  const std::optional<std::string> cache = cache_directory();
  if (!cache.has_value()) return sha256_file(path);
  const std::string entry = *cache + "/" + sha256_hex(identity);
  try {
    const std::string remembered = read_file(entry, kHexDigits);
    if (is_hash(remembered)) return remembered;
  } catch (const InputError&) {  // not remembered
  } catch (const DeviceError&) {
  }
  const std::string hash = sha256_file(path);
  // File systems' clocks tick in milliseconds: a file that changed a moment ago may change again
  // unnoticed.
  constexpr time_t kSettledSeconds = 2;
  const bool settled = std::time(nullptr) - status.st_mtim.tv_sec >= kSettledSeconds;
  if (settled && identity_of(path, status_of(path)) == identity) remember(entry, hash);
  return hash;
}

}  // namespace

std::string base_hash(const std::vector<std::string>& paths) {
  PRESCRIPT_CHECK(!paths.empty(), "a base model without weight files");
  if (paths.size() == 1) return hash_of_file(paths.front());
  Sha256 hash;
  for (const std::string& path : paths) hash.update(hash_of_file(path));
  return hash.hex();
}

}  // namespace prescript
