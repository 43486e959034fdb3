#include "base/file_error.h"

#include <cerrno>
#include <system_error>

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

void throw_file_error(const std::string& path, const std::string& action, int error_number) {
  throw DeviceError(describe(path, action, error_number));
}

}  // namespace prescript
