#pragma once
// A file as a span of memory.

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"

namespace prescript {

/// A regular file mapped read-only. When somebody cuts the file while it is mapped, touching the
/// lost pages ends the process with a message that names the file and exit code 4 (SIGBUS handler,
/// installed at the first mapping), not with a crash.
class MappedFile {
 public:
  /// Throws InputError(code) when the file is absent, not readable or not a regular file.
  static std::shared_ptr<const MappedFile> open(const std::string& path,
                                                ExitCode code = ExitCode::kModel);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const std::byte* data, size_t size);

  std::string path_;
  const std::byte* data_;
  size_t size_;
};

/// Takes the pages that hold `bytes` of a mapped file out of this process's memory; the system may
/// keep them in its cache. They are mapped again when they are read.
void release_pages(std::span<const std::byte> bytes);

/// Lets the system begin to read them into its cache.
void read_ahead_pages(std::span<const std::byte> bytes);

}  // namespace prescript
