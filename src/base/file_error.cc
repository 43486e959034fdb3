#include "base/file_error.h"

#include <cerrno>
#include <system_error>

#include <sys/stat.h>

namespace prescript {
namespace {

std::string describe(const std::string& path, const std::string& action, int error_number) {
  return path + ": " + action + ": " + std::generic_category().message(error_number);
}

}  // namespace

void throw_open_error(const std::string& path,
                      const std::string& action,
                      int error_number,
                      ExitCode code) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
      throw InputError(code, describe(path, action, error_number));
    default:
      throw_file_error(path, action, error_number);
  }
}

bool is_there(const std::string& path, ExitCode code) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) throw_open_error(path, "cannot look at it", errno, code);
  return false;
}

void throw_file_error(const std::string& path, const std::string& action, int error_number) {
  throw DeviceError(describe(path, action, error_number));
}

}  // namespace prescript
