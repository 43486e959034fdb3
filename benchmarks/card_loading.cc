// Bytes on their way to the card: from memory, from a mapped file in the system's cache, and from
// the disk.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "card_bench.h"
#include "io/mapped_file.h"

namespace prescript::bench {
namespace {

constexpr int kTurns = 3;

class Uploads {
 public:
  explicit Uploads(CardBench& bench)
      : bench_(bench),
        bytes_(static_cast<size_t>(bench.extents().copied)),
        to_(bench.take(bytes_)) {}

  size_t bytes() const { return bytes_; }

  /// `prepare` goes before each turn.
  template <typename Prepare>
  void measure(const char* name, std::span<const std::byte> from, const Prepare& prepare) {
    std::vector<double> seconds;
    for (int turn = 0; turn <= kTurns; ++turn) {
      prepare();
      const auto begin = std::chrono::steady_clock::now();
      bench_.ops().start_upload({from}, to_)->finish();
      std::byte last{};
      bench_.device().to_host(static_cast<std::byte*>(to_) + bytes_ - 1, &last, 1);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      if (turn > 0) seconds.push_back(taken.count());  // the first makes pinned memory
    }
    std::ranges::sort(seconds);
    bench_.report({.group = "loading",
                   .name = name,
                   .shape = "bytes " + std::to_string(bytes_),
                   .seconds = seconds[seconds.size() / 2],
                   .fastest = seconds.front(),
                   .slowest = seconds.back(),
                   .bytes = static_cast<double>(bytes_)});
  }

 private:
  CardBench& bench_;
  size_t bytes_;
  void* to_;
};

/// A file that is removed in the end.
class ScratchFile {
 public:
  explicit ScratchFile(std::span<const std::byte> bytes)
      : path_(std::filesystem::temp_directory_path() /
              ("prescript-loading-" + std::to_string(::getpid()))) {
    std::ofstream file(path_, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw DeviceError(path_.string() + ": cannot be written");
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  std::string path() const { return path_.string(); }

  /// Its pages leave the system's cache.
  void forget() const {
    const int file = ::open(path_.c_str(), O_RDONLY);
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

void measure_loading(CardBench& bench) {
  Uploads uploads(bench);
  std::vector<std::byte> memory(uploads.bytes());
  for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i * 29 >> 8);
  uploads.measure("from memory", memory, [] {});
  {
    const ScratchFile file(memory);
    const auto mapped = MappedFile::open(file.path());
    uploads.measure("from a mapped file, cached", mapped->bytes(), [&] {
      release_pages(mapped->bytes());  // of the process alone
    });
    uploads.measure("from a mapped file on disk", mapped->bytes(), [&] {
      release_pages(mapped->bytes());
      file.forget();
    });
  }
  bench.forget();
}

}  // namespace prescript::bench
