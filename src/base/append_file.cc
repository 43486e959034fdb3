#include "base/append_file.h"

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/file_error.h"

namespace prescript {
namespace {

int open_and_cut(const std::string& path, uint64_t keep_bytes) {
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | (keep_bytes == 0 ? O_CREAT : 0), 0600);
  if (descriptor < 0) throw_open_error(path, "cannot open", errno, ExitCode::kUsage);
  try {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) throw_file_error(path, "cannot stat", errno);
    if (static_cast<uint64_t>(status.st_size) < keep_bytes)
      throw InputError(ExitCode::kUsage,
                       path + ": " + std::to_string(status.st_size) +
                           " bytes, but the checkpoint was written at " +
                           std::to_string(keep_bytes) +
                           "; the file was changed: restore it, or start again with --overwrite");
    if (::ftruncate(descriptor, static_cast<off_t>(keep_bytes)) != 0)
      throw_file_error(path, "cannot cut", errno);
    if (keep_bytes == 0) {
      const std::string parent = std::filesystem::path(path).parent_path().string();
      sync_directory(parent.empty() ? "." : parent);  // the file may be new
    }
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  return descriptor;
}

}  // namespace

AppendFile::AppendFile(std::string path, uint64_t keep_bytes)
    : path_(std::move(path)), descriptor_(open_and_cut(path_, keep_bytes)), bytes_(keep_bytes) {}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(descriptor_, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error_number = errno;
      // Best effort: the part of a line that got through must not stay before a later one.
      if (::ftruncate(descriptor_, static_cast<off_t>(bytes_)) != 0) errno = error_number;
      throw_file_error(path_, "cannot write", error_number);
    }
    done += static_cast<size_t>(count);
  }
  bytes_ += bytes.size();
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) throw_file_error(path_, "cannot sync", errno);
}

}  // namespace prescript
