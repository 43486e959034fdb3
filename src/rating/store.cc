#include "rating/store.h"

#include <array>
#include <cerrno>
#include <filesystem>

#include <sys/random.h>
#include <sys/stat.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/file_error.h"

namespace prescript {

namespace fs = std::filesystem;

void check_unoccupied(const std::string& dir) {
  if (dir.empty()) throw InputError(ExitCode::kUsage, "the directory's name is empty");
  if (!is_there(dir, ExitCode::kUsage)) return;
  throw InputError(ExitCode::kUsage,
                   dir +
                       ": something is there already, and is not replaced; choose another "
                       "directory");
}

void create_store(const std::string& dir,
                  const std::string& file,
                  int32_t application,
                  const char* schema,
                  const std::function<void(Database&)>& fill) {
  check_unoccupied(dir);
  const std::string filled = unpublished_path(dir);
  std::error_code ignored;
  fs::remove_all(filled, ignored);
  if (::mkdir(filled.c_str(), 0700) != 0) {
    throw_open_error(filled, "cannot create", errno, ExitCode::kUsage);
  }
  try {
    Database database = Database::create(filled + "/" + file, application, schema);
    Transaction transaction(database);
    fill(database);
    transaction.commit();
    check_unoccupied(dir);  // what somebody else made meanwhile stays
  } catch (...) {
    fs::remove_all(filled, ignored);
    throw;
  }
  publish_directory(filled, dir);
}

std::string random_hex(size_t num_bytes) {
  std::string hex;
  for (size_t i = 0; i < num_bytes; ++i) {
    unsigned char byte = 0;
    if (::getrandom(&byte, 1, 0) != 1) throw DeviceError("getrandom failed");
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace prescript
