#include "base/durable_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_error.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

/// What `publish_directory` calls the old directory while the file system forces it to have neither
/// in place.
constexpr std::string_view kPreviousSuffix = ".prescript-previous";

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

std::string parent_of(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

void sync_path(const std::string& path, int flags) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
  if (file.get() < 0) throw_file_error(path, "cannot open to sync", errno);
  if (::fsync(file.get()) != 0) throw_file_error(path, "cannot sync", errno);
}

void rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    throw_file_error(to, "cannot rename " + from + " to this", errno);
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_file_error(path, "cannot write", errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

/// Swaps two directories in one step; false where the file system cannot.
bool exchange(const std::string& a, const std::string& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  throw_file_error(b, "cannot exchange with " + a, errno);
}

void replace_directory(const std::string& tmp_dir, const std::string& final_dir) {
  const std::string parent = parent_of(final_dir);
  std::string old_dir = tmp_dir;
  if (!exchange(tmp_dir, final_dir)) {
    old_dir = final_dir + std::string(kPreviousSuffix);
    rename_path(final_dir, old_dir);
    sync_directory(parent);
    rename_path(tmp_dir, final_dir);
  }
  sync_directory(parent);
  fs::remove_all(old_dir);
}

}  // namespace

std::string read_file(const std::string& path, uint64_t max_bytes, ExitCode code) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw_open_error(path, "cannot open", errno, code);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_file_error(path, "cannot stat", errno);
  const auto fail_too_long = [&] {
    throw InputError(code,
                     path + ": more than " + std::to_string(max_bytes) +
                         " bytes, the most that such a file may have");
  };
  std::string text;
  if (S_ISREG(status.st_mode)) {
    if (static_cast<uint64_t>(status.st_size) > max_bytes) fail_too_long();
    text.reserve(static_cast<size_t>(status.st_size) + 1);
  }
  std::string buffer(size_t{1} << 16, '\0');
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_open_error(path, "cannot read", errno, code);
    if (count == 0) return text;
    if (text.size() + static_cast<size_t>(count) > max_bytes) fail_too_long();
    text.append(buffer, 0, static_cast<size_t>(count));
  }
}

void write_file_durably(const std::string& path, std::span<const std::byte> bytes, unsigned mode) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    throw InputError(ExitCode::kUsage,
                     path + ": not a regular file, and is not replaced; choose another path");
  }
  std::string tmp = path + ".XXXXXX" + std::string(kUnpublishedSuffix);
  const Descriptor file(
      ::mkostemps(tmp.data(), static_cast<int>(kUnpublishedSuffix.size()), O_CLOEXEC));
  if (file.get() < 0) throw_open_error(path, "cannot create", errno, ExitCode::kUsage);
  try {
    if (::fchmod(file.get(), mode) != 0) throw_file_error(path, "cannot set the mode", errno);
    write_all(file.get(), bytes, path);
    if (::fsync(file.get()) != 0) throw_file_error(path, "cannot sync", errno);
    rename_path(tmp, path);
  } catch (...) {
    ::unlink(tmp.c_str());
    throw;
  }
  sync_directory(parent_of(path));
}

void write_file_durably(const std::string& path, std::string_view text, unsigned mode) {
  write_file_durably(path, std::as_bytes(std::span(text)), mode);
}

std::string unpublished_path(const std::string& final_dir) {
  return without_trailing_slash(final_dir) + std::string(kUnpublishedSuffix);
}

void publish_directory(const std::string& tmp_dir, const std::string& final_dir) {
  const std::string target = without_trailing_slash(final_dir);
  try {
    for (const auto& entry : fs::recursive_directory_iterator(tmp_dir))
      sync_path(entry.path().string(), O_NOFOLLOW);
    sync_directory(tmp_dir);
    if (fs::exists(fs::symlink_status(target))) {
      replace_directory(without_trailing_slash(tmp_dir), target);
    } else {
      rename_path(tmp_dir, target);
      sync_directory(parent_of(target));
    }
  } catch (const fs::filesystem_error& error) {
    throw_file_error(target, "cannot publish", error.code().value());
  }
}

void remove_unpublished(const std::string& dir) {
  try {
    if (!fs::exists(dir)) return;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string path = entry.path().string();
      if (path.ends_with(kUnpublishedSuffix)) {
        fs::remove_all(path);
      } else if (path.ends_with(kPreviousSuffix)) {
        const std::string target = path.substr(0, path.size() - kPreviousSuffix.size());
        if (fs::exists(target)) {
          fs::remove_all(path);
        } else {
          rename_path(path, target);
        }
      }
    }
    sync_directory(dir);
  } catch (const fs::filesystem_error& error) {
    throw_file_error(dir, "cannot clear unpublished files", error.code().value());
  }
}

void sync_directory(const std::string& dir) {
  sync_path(dir, O_DIRECTORY);
}

DirectoryLock::DirectoryLock(const std::string& dir) {
  const std::string path = dir + "/" + std::string(kFileName);
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor_ < 0) throw_open_error(dir, "cannot lock", errno, ExitCode::kUsage);
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error_number = errno;
  ::close(descriptor_);
  if (error_number != EWOULDBLOCK) throw_file_error(path, "cannot lock", error_number);
  throw InputError(ExitCode::kUsage,
                   dir +
                       ": another run is writing into this directory; wait for its end or choose "
                       "another output directory");
}

DirectoryLock::~DirectoryLock() {
  ::close(descriptor_);
}

}  // namespace prescript
