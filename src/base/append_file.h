#pragma once
// A file that grows at its end and can be cut back to what a checkpoint remembers.

#include <cstdint>
#include <string>
#include <string_view>

namespace prescript {

/// Opens `path` and cuts it to `keep_bytes`; creates it (0600) when `keep_bytes` is 0. Throws
/// InputError(kUsage) when the file is shorter than that or cannot be opened, DeviceError when the
/// disk fails.
class AppendFile {
 public:
  AppendFile(std::string path, uint64_t keep_bytes);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Writes all of `bytes` or, throwing DeviceError, nothing.
  void append(std::string_view bytes);

  /// Returns when everything appended is on the disk: before a checkpoint remembers `bytes()`.
  void sync();

  uint64_t bytes() const { return bytes_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  uint64_t bytes_ = 0;
};

}  // namespace prescript
