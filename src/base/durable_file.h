#pragma once
// Files that appear whole or not at all, and survive a crash right after they appeared.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace prescript {

/// What the name of every file or directory ends with that is not published yet. A crash may leave
/// such names behind; `remove_unpublished` clears them.
inline constexpr std::string_view kUnpublishedSuffix = ".prescript-tmp";

/// The whole file. Throws InputError(code) when it is absent, not readable, a directory or longer
/// than `max_bytes`, DeviceError when reading fails.
std::string read_file(const std::string& path, uint64_t max_bytes, ExitCode code = ExitCode::kData);

/// Replaces or creates `path`: writes beside it, syncs, renames, syncs the directory. A reader sees
/// the old bytes or the new ones. Nothing stays behind when it fails. Throws InputError(kUsage)
/// when the directory is absent or not writable, or `path` is a directory or a device; DeviceError
/// for a full or failing disk.
void write_file_durably(const std::string& path,
                        std::span<const std::byte> bytes,
                        unsigned mode = 0600);
void write_file_durably(const std::string& path, std::string_view text, unsigned mode = 0600);

/// The name under which a directory is filled before `publish_directory` gives it its own.
std::string unpublished_path(const std::string& final_dir);

/// Syncs every file in `tmp_dir` (which may have subdirectories), renames it to `final_dir`, syncs
/// the parent. An existing `final_dir` is replaced in one step (RENAME_EXCHANGE); where the file
/// system cannot do that, the old directory is first moved aside, and a crash between the two
/// renames is healed by `remove_unpublished`. Throws DeviceError.
void publish_directory(const std::string& tmp_dir, const std::string& final_dir);

/// Clears what a crash left in `dir`: deletes unpublished names and puts back a directory that
/// `publish_directory` had moved aside. Not recursive. Call it only under the directory's lock.
void remove_unpublished(const std::string& dir);

/// Syncs the entries of a directory. Throws DeviceError.
void sync_directory(const std::string& dir);

/// Holds a directory for this process. Ends with the object or the process, however it dies; the
/// empty lock file stays. Throws InputError(kUsage) naming the directory when another holder lives.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& dir);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  static constexpr std::string_view kFileName = ".prescript-lock";

 private:
  int descriptor_ = -1;
};

}  // namespace prescript
